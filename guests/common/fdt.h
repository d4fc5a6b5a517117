/*
 * Just enough of a flattened device tree (Devicetree Specification, chapter 5) to find /chosen/bootargs, and a word in it.
 *
 *     header, big-endian words:  0 magic d00dfeed   2 offset of the structure block   3 offset of the strings block
 *     structure block:           1 begin node, name\0   2 end node   3 property: length, name's offset, value   9 end
 */
#pragma once
#include "types.h"

extern u64 device_tree; /* start.S */

static inline u32 fdt_word(u64 address) { return __builtin_bswap32(*(const volatile u32 *)address); }

static int text_starts(const char *text, const char *start)
{
    while (*start && *text == *start)
        text++, start++;
    return !*start;
}

static int text_equals(const char *a, const char *b) { return text_starts(a, b) && text_starts(b, a); }

/* The bootargs, or "" if there is no tree or it has none. */
static __attribute__((unused)) const char *fdt_bootargs(void)
{
    const u64 strings = device_tree + fdt_word(device_tree + 12);
    u64 at = device_tree + fdt_word(device_tree + 8);
    int in_chosen = 0;

    if (fdt_word(device_tree) != 0xd00dfeed)
        return "";
    for (;;) {
        const u32 token = fdt_word(at);
        at += 4;
        if (token == 1) {
            const char *name = (const char *)at;
            in_chosen = text_equals(name, "chosen");
            while (*name)
                name++;
            at = ((u64)name + 4) & ~3ul;
        } else if (token == 3) {
            const u32 length = fdt_word(at);
            const char *name = (const char *)(strings + fdt_word(at + 4));
            if (in_chosen && text_equals(name, "bootargs"))
                return (const char *)(at + 8);
            at += 8 + ((length + 3) & ~3u);
        } else if (token == 9) {
            return "";
        }
    }
}

/* Put the text after `key` (say "name="), up to a space, into `word`. Return 0 and leave `word` alone if it is not there. */
static __attribute__((unused)) int bootargs_word(const char *key, char *word, u32 size)
{
    const char *text = fdt_bootargs();
    u32 n = 0, length = 0;

    while (key[length])
        length++;
    while (*text && !text_starts(text, key))
        text++;
    if (!*text)
        return 0;
    for (text += length; *text && *text != ' ' && n + 1 < size; text++)
        word[n++] = *text;
    word[n] = 0;
    return 1;
}

/* Strings, records and arrays: a table of people is made, indexed by name, sorted in two orders, searched, and printed to memory. */
#include "guest.h"

enum { PEOPLE = 64, BUCKETS = 32, NAME = 12, TEXT = 4096 };
const uint64_t expected = 0x67a6aeb237522b2d;

struct person {
    char name[NAME];
    uint16_t born;
    uint8_t city;
    int32_t balance;
    struct person *next; /* of the same bucket */
};

static struct person people[PEOPLE], *buckets[BUCKETS], *order[PEOPLE];
static char text[TEXT];

static uint32_t hash(const char *name)
{
    uint32_t h = 2166136261u;
    while (*name)
        h = (h ^ (uint8_t)*name++) * 16777619;
    return h;
}

static int compare(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return (uint8_t)*a - (uint8_t)*b;
}

static void make_people(void)
{
    static const char vowels[] = "aeiou", consonants[] = "bdfgklmnprstvz";
    uint32_t random = 1;
    for (int i = 0; i < BUCKETS; i++)
        buckets[i] = 0;
    for (int i = 0; i < PEOPLE; i++) {
        struct person *p = &people[i];
        int length = 4 + (next_random(&random) >> 24) % 7;
        for (int j = 0; j < length; j++) {
            uint32_t r = next_random(&random) >> 20;
            p->name[j] = j % 2 ? vowels[r % 5] : consonants[r % 14];
        }
        p->name[length] = 0;
        p->born = 1900 + (next_random(&random) >> 16) % 100;
        p->city = next_random(&random) >> 29;
        p->balance = (int32_t)next_random(&random) / 1000;
        struct person **bucket = &buckets[hash(p->name) % BUCKETS];
        p->next = *bucket;
        *bucket = p;
        order[i] = p;
    }
}

static int by_name(const struct person *a, const struct person *b)
{
    return compare(a->name, b->name);
}

static int by_city_and_balance(const struct person *a, const struct person *b)
{
    if (a->city != b->city)
        return a->city - b->city;
    return a->balance < b->balance ? -1 : a->balance > b->balance;
}

static void sort(int (*less)(const struct person *, const struct person *)) /* heap sort */
{
    for (int n = PEOPLE, start = PEOPLE / 2; n > 1;) {
        struct person *moved;
        if (start > 0) {
            moved = order[--start];
        } else {
            moved = order[--n];
            order[n] = order[0];
        }
        int at = start;
        for (int child; (child = 2 * at + 1) < n; at = child) {
            if (child + 1 < n && less(order[child], order[child + 1]) < 0)
                child++;
            if (less(moved, order[child]) >= 0)
                break;
            order[at] = order[child];
        }
        order[at] = moved;
    }
}

static const struct person *find(const char *name)
{
    for (const struct person *p = buckets[hash(name) % BUCKETS]; p; p = p->next)
        if (compare(p->name, name) == 0)
            return p;
    return 0;
}

static char *put_number(char *to, int32_t value)
{
    char digits[12];
    int n = 0;
    uint32_t left = value < 0 ? -(uint32_t)value : (uint32_t)value;
    do {
        digits[n++] = '0' + left % 10;
        left /= 10;
    } while (left);
    if (value < 0)
        *to++ = '-';
    while (n)
        *to++ = digits[--n];
    return to;
}

static char *print_all(char *to)
{
    for (int i = 0; i < PEOPLE; i++) {
        for (const char *from = order[i]->name; *from; from++)
            *to++ = i % 2 ? *from - 'a' + 'A' : *from;
        *to++ = ' ';
        to = put_number(to, order[i]->born);
        *to++ = ' ';
        to = put_number(to, order[i]->balance);
        *to++ = '\n';
    }
    return to;
}

uint64_t round(void)
{
    uint64_t sum = 0;
    make_people();
    sort(by_name);
    for (char *p = text, *end = print_all(text); p < end; p++)
        sum = mix(sum, (uint8_t)*p);
    sort(by_city_and_balance);
    for (int i = 0; i < PEOPLE; i++)
        sum = mix(sum, (uint64_t)(order[i]->balance + order[i]->city));
    for (int i = 0; i < PEOPLE; i++)
        sum = mix(sum, find(people[i].name)->born);
    return mix(sum, find("nobody") == 0);
}

/* Linked lists, small matrices of integers, a state machine that reads numbers, and CRC-16 of what came out: what CoreMark is about. */
#include "guest.h"

enum { NODES = 200, SIDE = 12 };
const uint64_t expected = 0x00000000000074ca;

struct node {
    struct node *next;
    int16_t value, index;
};

static struct node nodes[NODES];
static int16_t left[SIDE][SIDE], right[SIDE][SIDE];
static int32_t product[SIDE][SIDE];

static uint16_t crc16(uint16_t crc, uint16_t data) /* polynomial 0x8005, reflected, a bit at a time */
{
    for (int i = 0; i < 16; i++) {
        uint16_t bit = (crc ^ data) & 1;
        crc >>= 1;
        data >>= 1;
        if (bit)
            crc ^= 0xa001;
    }
    return crc;
}

static struct node *make_list(uint32_t random)
{
    for (int i = 0; i < NODES; i++) {
        int at = i * 77 % NODES; /* neighbours are not neighbours in memory */
        nodes[at].next = i + 1 < NODES ? &nodes[(i + 1) * 77 % NODES] : 0;
        nodes[at].value = (int16_t)(next_random(&random) >> 18);
        nodes[at].index = (int16_t)i;
    }
    return &nodes[0];
}

static struct node *reversed(struct node *list)
{
    struct node *done = 0;
    while (list) {
        struct node *next = list->next;
        list->next = done;
        done = list;
        list = next;
    }
    return done;
}

static struct node *merged(struct node *a, struct node *b)
{
    struct node *first = 0, **end = &first;
    while (a && b) {
        struct node **smaller = a->value <= b->value ? &a : &b;
        *end = *smaller;
        end = &(*smaller)->next;
        *smaller = *end;
    }
    *end = a ? a : b;
    return first;
}

static struct node *sorted(struct node *list)
{
    if (!list || !list->next)
        return list;
    struct node *middle = list;
    for (struct node *end = list->next; end && end->next; end = end->next->next)
        middle = middle->next;
    struct node *rest = middle->next;
    middle->next = 0;
    return merged(sorted(list), sorted(rest));
}

static uint16_t lists(uint16_t crc)
{
    struct node *list = sorted(reversed(make_list(crc)));
    for (int wanted = 0; wanted < NODES; wanted += 25) {
        int steps = 0;
        for (struct node *at = list; at && at->index != wanted; at = at->next)
            steps++;
        crc = crc16(crc, (uint16_t)steps);
    }
    return crc16(crc, (uint16_t)list->value);
}

static uint16_t matrices(uint16_t crc)
{
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            left[i][j] = (int16_t)(i * 31 - j * 17 + crc % 64);
            right[i][j] = (int16_t)((i ^ j) * 5 - 20);
        }
    int32_t above = 0;
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            int32_t sum = 0;
            for (int n = 0; n < SIDE; n++)
                sum += left[i][n] * right[n][j];
            product[i][j] = sum;
            above += sum > 100 ? 1 : sum < -100 ? -1 : 0;
            left[j][i] += (int16_t)(sum >> 4 & 0x7f);
        }
    return crc16(crc16(crc, (uint16_t)above), (uint16_t)product[SIDE / 2][SIDE / 3]);
}

enum state { START, SIGN, WHOLE, POINT, FRACTION, EXPONENT, POWER, BAD, STATES };

static enum state step(enum state state, char c)
{
    int digit = c >= '0' && c <= '9';
    switch (state) {
    case START:
        return digit ? WHOLE : c == '+' || c == '-' ? SIGN : c == '.' ? POINT : BAD;
    case SIGN:
        return digit ? WHOLE : c == '.' ? POINT : BAD;
    case WHOLE:
        return digit ? WHOLE : c == '.' ? FRACTION : c == 'e' ? EXPONENT : BAD;
    case POINT:
    case FRACTION:
        return digit ? FRACTION : c == 'e' && state == FRACTION ? EXPONENT : BAD;
    case EXPONENT:
        return digit || c == '-' ? POWER : BAD;
    case POWER:
        return digit ? POWER : BAD;
    default:
        return BAD;
    }
}

static uint16_t numbers(uint16_t crc)
{
    static const char text[] = "12,-7.25,+.5e3,1e-9,abc,0.0.1,-,99999999,3.1415926,5e,e5,-0.001e-12,1+1,.,77e77,";
    uint16_t ends[STATES] = {0}, moves[STATES] = {0};
    for (int turn = 0; turn < 4; turn++) {
        enum state state = START;
        for (const char *p = text; *p; p++) {
            char c = *p ^ (turn == 2 && (p - text) % 9 == 4 ? 1 : 0); /* one turn with misprints */
            if (c == ',') {
                ends[state]++;
                state = START;
            } else {
                enum state next = step(state, c);
                moves[next] += next != state;
                state = next;
            }
        }
    }
    for (int i = 0; i < STATES; i++)
        crc = crc16(crc16(crc, ends[i]), moves[i]);
    return crc;
}

uint64_t round(void)
{
    uint16_t crc = 0;
    for (int i = 0; i < 4; i++)
        crc = numbers(matrices(lists(crc)));
    return crc;
}

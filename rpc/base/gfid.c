/*
 * gfid - see gfid.h.
 */
#include <config.h>

#include "gfid.h"

const gb_gfid GB_GFID_NULL = {{0}};
const gb_gfid GB_GFID_ROOT = {{[15] = 1}};
const gb_gfid GB_GFID_TRASH = {{[15] = 5}};
const gb_gfid GB_GFID_TRASH_INTERNAL = {{[15] = 6}};
const gb_gfid GB_GFID_BITROT_STUB = {{[15] = 8}};
const gb_gfid GB_GFID_SHARD = {
        {0xbe, 0x31, 0x86, 0x38, 0xe8, 0xa0, 0x4c, 0x6d, 0x97, 0x7d, 0x7a, 0x93, 0x7a, 0xa8, 0x48, 0x06}};
const gb_gfid GB_GFID_SHARD_REMOVE_ME = {
        {0x77, 0xdd, 0x5a, 0x45, 0xdb, 0xf5, 0x45, 0x92, 0xb3, 0x1b, 0xb4, 0x40, 0x38, 0x23, 0x02, 0xe9}};

static int hex_value(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

/* A hyphen stands in front of these bytes. */
static bool hyphen_before(size_t byte)
{
        return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

bool gb_gfid_parse(const char *text, size_t len, gb_gfid *out)
{
        gb_gfid g;

        if (len != GB_GFID_TEXT - 1)
                return false;
        for (size_t i = 0; i < sizeof(g.b); i++) {
                int high, low;

                if (hyphen_before(i) && *text++ != '-')
                        return false;
                high = hex_value(text[0]);
                low = hex_value(text[1]);
                if (high < 0 || low < 0)
                        return false;
                g.b[i] = (uint8_t)(high << 4 | low);
                text += 2;
        }
        *out = g;
        return true;
}

char *gb_gfid_format(const gb_gfid *g, char out[GB_GFID_TEXT])
{
        static const char digits[] = "0123456789abcdef";
        char *p = out;

        for (size_t i = 0; i < sizeof(g->b); i++) {
                if (hyphen_before(i))
                        *p++ = '-';
                *p++ = digits[g->b[i] >> 4];
                *p++ = digits[g->b[i] & 15];
        }
        *p = '\0';
        return out;
}

gb_gfid gb_gfid_anonymous_dir(const gb_gfid *volume_id)
{
        gb_gfid g = *volume_id;

        g.b[0] ^= 1;
        return g;
}

bool gb_gfid_is_internal_dir(const gb_gfid *g, const gb_gfid *volume_id)
{
        gb_gfid anonymous = gb_gfid_anonymous_dir(volume_id);

        return gb_gfid_eq(g, &GB_GFID_TRASH) || gb_gfid_eq(g, &GB_GFID_TRASH_INTERNAL) ||
               gb_gfid_eq(g, &GB_GFID_BITROT_STUB) || gb_gfid_eq(g, &GB_GFID_SHARD) ||
               gb_gfid_eq(g, &GB_GFID_SHARD_REMOVE_ME) || gb_gfid_eq(g, &anonymous);
}

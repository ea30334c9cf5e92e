/*
 * listread - see listread.h.
 */
#include <config.h>

#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "base/limits.h"
#include "base/order.h"
#include "listread.h"

struct gb_listread {
        const char *list;
        const struct gb_manifest *manifest;
        unsigned part; /* that is read */
        char *name;    /* its name */
        FILE *file;
        char *line;
        size_t room, number;
        uint64_t bytes;
        EVP_MD_CTX *hash;
        bool changed;                   /* a part is not as it was written */
        char path[2 * GB_PATH_MAX + 1]; /* decoded, with the prefix */
};

/* The next file of the list. */
static int open_part(struct gb_listread *r, struct gb_error *err)
{
        free(r->name);
        r->name = r->manifest->split ? gb_parts_name(r->list, r->part) : strdup(r->list);
        if (!r->name)
                return gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        if (!r->hash || !EVP_DigestInit_ex(r->hash, EVP_sha256(), NULL))
                return gb_error_set(err, GB_ERR_SYSTEM, "%s: no SHA-256 from libcrypto", r->name);
        r->bytes = 0;
        r->number = 0;
        if (r->file)
                fclose(r->file);
        r->file = fopen(r->name, "re");
        return r->file ? 0 : gb_error_sys(err, GB_ERR_SYSTEM, "%s", r->name);
}

struct gb_listread *gb_listread_open(const char *file, const struct gb_manifest *m, struct gb_error *err)
{
        struct gb_listread *r = calloc(1, sizeof(*r));

        if (!r) {
                gb_error_set(err, GB_ERR_MEMORY, "out of memory");
                return NULL;
        }
        r->list = file;
        r->manifest = m;
        r->hash = EVP_MD_CTX_new();
        if (open_part(r, err) == 0)
                return r;
        gb_listread_close(r);
        return NULL;
}

void gb_listread_close(struct gb_listread *r)
{
        if (!r)
                return;
        if (r->file)
                fclose(r->file);
        EVP_MD_CTX_free(r->hash);
        free(r->line);
        free(r->name);
        free(r);
}

bool gb_listread_intact(const struct gb_listread *r)
{
        return !r->changed;
}

static int bad_line(const struct gb_listread *r, struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_CORRUPT, "%s: line %zu is no line of this format", r->name,
                            r->number);
}

/* The path without the prefix that the list puts in front. */
static bool take_path(struct gb_listread *r, size_t len, struct gb_op *op)
{
        const char *prefix = r->manifest->prefix;
        size_t n = prefix ? strlen(prefix) : 0;

        if (n && (len < n || memcmp(r->path, prefix, n) != 0))
                return false;
        if (n && prefix[n - 1] != '/' && (len == n || r->path[n++] != '/'))
                return false;
        op->path = r->path + n;
        op->len = len - n;
        return gb_path_valid(op->path, op->len);
}

static bool take_plain(struct gb_listread *r, const char *line, size_t len, struct gb_op *op)
{
        const struct gb_tool *tool = gb_formats[r->manifest->format]->tool;
        size_t lead = tool && tool->lead ? strlen(tool->lead) : 0;

        if (lead && (len < lead || memcmp(line, tool->lead, lead) != 0))
                return false;
        line += lead;
        len -= lead;
        if (len >= sizeof(r->path))
                return false;
        memcpy(r->path, line, len);
        op->kind = GB_OP_MODIFY;
        return take_path(r, len, op);
}

/* ---- changes ---- */

static int hex_digit(char c)
{
        return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool take_encoded(struct gb_listread *r, const char *word, size_t len, struct gb_op *op)
{
        size_t n = 0;

        for (size_t i = 0; i < len; i++) {
                int high, low;

                if (n == sizeof(r->path) || word[i] == ' ')
                        return false;
                if (word[i] != '%') {
                        r->path[n++] = word[i];
                        continue;
                }
                high = i + 2 < len ? hex_digit(word[i + 1]) : -1;
                low = i + 2 < len ? hex_digit(word[i + 2]) : -1;
                if (high < 0 || low < 0)
                        return false;
                r->path[n++] = (char)(high * 16 + low);
                i += 2;
        }
        return take_path(r, n, op);
}

static bool take_change(struct gb_listread *r, const char *line, size_t len, struct gb_op *op)
{
        static const struct {
                const char *word;
                enum gb_op_kind kind;
        } words[] = {{"NEW ", GB_OP_NEW},
                     {"MODIFY ", GB_OP_MODIFY},
                     {"DELETE ", GB_OP_DELETE},
                     {"RENAME ", GB_OP_RENAME}};

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
                size_t n = strlen(words[i].word);
                const char *blank;

                if (len < n || memcmp(line, words[i].word, n) != 0)
                        continue;
                op->kind = words[i].kind;
                if (op->kind == GB_OP_RENAME) {
                        blank = memchr(line + n, ' ', len - n);
                        n = blank ? (size_t)(blank - line) + 1 : len;
                }
                return take_encoded(r, line + n, len - n, op);
        }
        return false;
}

/* ---- jsonl ---- */

static bool take_json_path(struct gb_listread *r, const json_t *j, struct gb_op *op)
{
        const json_t *plain = json_object_get(j, "path"), *coded = json_object_get(j, "path_b64");
        const json_t *text = plain ? plain : coded;
        size_t len = json_string_length(text);
        const char *s = json_string_value(text);
        int n;

        if (!s || !len || len / 4 * 3 >= sizeof(r->path) || (plain && len >= sizeof(r->path)))
                return false;
        if (plain) {
                memcpy(r->path, s, len);
                return take_path(r, len, op);
        }
        n = EVP_DecodeBlock((unsigned char *)r->path, (const unsigned char *)s, (int)len);
        if (n < 3 || len % 4)
                return false;
        return take_path(r, (size_t)n - (s[len - 1] == '=') - (s[len - 2] == '='), op);
}

static bool take_object(struct gb_listread *r, const json_t *j, struct gb_op *op)
{
        static const char *const words[] = {[GB_OP_DELETE] = "DELETE",
                                            [GB_OP_RENAME] = "RENAME",
                                            [GB_OP_NEW] = "NEW",
                                            [GB_OP_MODIFY] = "MODIFY"};
        const char *word = json_string_value(json_object_get(j, "op"));
        const char *type = json_string_value(json_object_get(j, "type"));
        const char *gfid = json_string_value(json_object_get(j, "gfid"));

        for (enum gb_op_kind k = GB_OP_DELETE; word && k <= GB_OP_MODIFY; k++)
                if (strcmp(word, words[k]) == 0)
                        op->kind = k;
        if (!op->kind || (gfid && !gb_gfid_parse(gfid, strlen(gfid), &op->gfid)))
                return false;
        op->has_gfid = gfid != NULL;
        op->type = type ? type[0] : 0;
        return take_json_path(r, j, op);
}

/* 1, 0 a header or trailer, -1. */
static int take_json(struct gb_listread *r, const char *line, size_t len, struct gb_op *op)
{
        json_t *j = json_loadb(line, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
        int rc = -1;

        if (json_object_get(j, "gbackup") || json_object_get(j, "end"))
                rc = 0;
        else if (j && take_object(r, j, op))
                rc = 1;
        json_decref(j);
        return rc;
}

/* ---- lines ---- */

/* The end of a part: is it as it was written?  1 if another follows. */
static int finish(struct gb_listread *r, struct gb_error *err)
{
        char digest[2 * EVP_MAX_MD_SIZE + 1] = "";
        unsigned char bytes[EVP_MAX_MD_SIZE];
        unsigned len = 0;

        if (ferror(r->file))
                return gb_error_sys(err, GB_ERR_SYSTEM, "%s: read", r->name);
        if (r->part == r->manifest->n_files)
                return 0;
        if (!EVP_DigestFinal_ex(r->hash, bytes, &len))
                return gb_error_set(err, GB_ERR_SYSTEM, "%s: SHA-256 failed", r->name);
        for (unsigned i = 0; i < len; i++)
                snprintf(digest + 2 * i, 3, "%02x", bytes[i]);
        if (r->bytes != r->manifest->files[r->part].bytes ||
            strcmp(digest, r->manifest->files[r->part].sha256) != 0)
                r->changed = true;
        if (++r->part == r->manifest->n_files)
                return 0;
        return open_part(r, err) < 0 ? -1 : 1;
}

int gb_listread_next(struct gb_listread *r, struct gb_op *op, struct gb_error *err)
{
        bool null = r->manifest->null && r->manifest->format != GB_FORMAT_JSONL;
        int end = null ? '\0' : '\n', rc = 0;

        while (rc == 0) {
                ssize_t n = getdelim(&r->line, &r->room, end, r->file);
                size_t len;

                if (n <= 0) {
                        int more = finish(r, err);

                        if (more <= 0)
                                return more;
                        continue;
                }
                len = (size_t)n;
                r->number++;
                r->bytes += len;
                if (!EVP_DigestUpdate(r->hash, r->line, len))
                        return gb_error_set(err, GB_ERR_SYSTEM, "%s: SHA-256 failed", r->name);
                if (r->line[len - 1] != end)
                        return bad_line(r, err);
                len--;
                memset(op, 0, sizeof(*op));
                if (r->manifest->format == GB_FORMAT_JSONL)
                        rc = take_json(r, r->line, len, op);
                else if (r->manifest->format == GB_FORMAT_CHANGES ||
                         r->manifest->format == GB_FORMAT_GLUSTERFIND)
                        rc = take_change(r, r->line, len, op) ? 1 : -1;
                else
                        rc = take_plain(r, r->line, len, op) ? 1 : -1;
        }
        return rc < 0 ? bad_line(r, err) : 1;
}

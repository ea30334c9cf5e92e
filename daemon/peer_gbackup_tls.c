/*
 * peer_gbackup_tls - what `gbackup-cli tls` has done on every node, by `gluster system:: execute`.
 *
 *     init       make key and certificate if there are none
 *     renew      make the next ones, beside those in use
 *     activate   take the next ones into use, once peers.pem has them
 *     install NAME=SHA256...   take over files that `gluster system:: copy file` has put into
 *                <glusterd's folder>/gbackup, all or none
 *     show       nothing
 *
 * and then tell how things stand, one fact a line, for all nodes' lines come back in one heap:
 *
 *     gbackup-tls UUID certificate BASE64    ours (DER)
 *     gbackup-tls UUID next BASE64           the one after renew
 *     gbackup-tls UUID trusts FINGERPRINT    of each certificate in peers.pem
 *     gbackup-tls UUID clients SERIAL SHA256 of clients.conf and clients.pem
 *     gbackup-tls UUID done                  last line; without it something is missing
 *     gbackup-tls UUID error TEXT            in its place
 *
 * glusterd's channel is as safe as glusterd's administrator has made it, so only public things pass:
 * certificates out, lists in.  A private key is made here and stays here.  The exit status is 0 even
 * then: glusterd would make of any other a failure without words.  A file `locked` beside the key keeps
 * everything as it is.
 */
#include <config.h>

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "glusterd.h"
#include "settings.h"

#define DEFAULT_CONFIG GB_SYSCONFDIR "/gbackup/gbackupd.conf"
#define FILES_MAX      3

static struct {
        struct gb_settings settings;
        char workdir[GB_SETTING_PATH_MAX + 32]; /* glusterd's, with /gbackup */
        gb_gfid node;
        char uuid[GB_GFID_TEXT];
} here;

/* "<tls_dir>/<name>" in one of a few static buffers. */
static const char *tls_file(const char *name)
{
        static char path[4][GB_SETTING_PATH_MAX + 32];
        static unsigned at;

        at = (at + 1) % 4;
        snprintf(path[at], sizeof(path[at]), "%s/%s", here.settings.tls_dir, name);
        return path[at];
}

static bool exists(const char *name)
{
        return access(tls_file(name), F_OK) == 0;
}

static int find_node(struct gb_error *err)
{
        const char *workdir = getenv("GLUSTERD_WORKDIR");
        struct gb_glusterd gd;
        int rc;

        gb_settings_default(&here.settings);
        if (gb_settings_load(&here.settings, DEFAULT_CONFIG, false, err) < 0)
                return -1;
        if (!workdir || workdir[0] != '/' || strlen(workdir) > GB_SETTING_PATH_MAX)
                workdir = here.settings.glusterd_dir;
        snprintf(here.workdir, sizeof(here.workdir), "%s/gbackup", workdir);
        if (gb_glusterd_init(&gd, workdir, here.settings.gluster_run_dir, err) < 0)
                return -1;
        rc = gb_glusterd_node(&gd, &here.node, err);
        gb_glusterd_fini(&gd);
        gb_gfid_format(&here.node, here.uuid);
        return rc;
}

static int refuse_if_locked(struct gb_error *err)
{
        if (!exists("locked"))
                return 0;
        return gb_error_set(err, GB_ERR_DENIED, "%s keeps keys and lists as they are", tls_file("locked"));
}

/* ---- init, renew, activate ---- */

static int make_dir(const char *dir, mode_t mode, struct gb_error *err)
{
        return mkdir(dir, mode) < 0 && errno != EEXIST ? gb_error_sys(err, GB_ERR_SYSTEM, "%s: create", dir)
                                                       : 0;
}

/* The last two levels: /etc/gbackup/tls in an /etc that is there. */
static int make_dirs(struct gb_error *err)
{
        char parent[GB_SETTING_PATH_MAX + 1];
        char *slash;

        snprintf(parent, sizeof(parent), "%s", here.settings.tls_dir);
        slash = strrchr(parent, '/');
        if (slash && slash != parent) {
                *slash = '\0';
                if (make_dir(parent, 0755, err) < 0)
                        return -1;
        }
        return make_dir(here.settings.tls_dir, 0700, err) < 0 || make_dir(here.workdir, 0700, err) < 0 ? -1
                                                                                                       : 0;
}

static int make(const char *key, const char *cert, struct gb_error *err)
{
        char name[GB_HOST_MAX + 1] = "";

        if (gethostname(name, 64) < 0 || !*name) /* a common name has at most 64 characters */
                snprintf(name, sizeof(name), "%s", here.uuid);
        name[64] = '\0';
        return gb_cert_make(tls_file(key), tls_file(cert), name, &here.node, err);
}

/* After a stop between two renames: the key is the next one's already. */
static int mend(struct gb_error *err)
{
        if (!exists("node.pem.new") || exists("node.key.new") || !exists("node.key"))
                return 0;
        if (gb_cert_fits(tls_file("node.key"), tls_file("node.pem.new"), err) != 1)
                return 0;
        return rename(tls_file("node.pem.new"), tls_file("node.pem")) < 0
                       ? gb_error_sys(err, GB_ERR_SYSTEM, "%s", tls_file("node.pem"))
                       : 0;
}

static int init(struct gb_error *err)
{
        if (make_dirs(err) < 0 || mend(err) < 0)
                return -1;
        if (exists("node.key") && exists("node.pem"))
                return 0;
        return refuse_if_locked(err) < 0 ? -1 : make("node.key", "node.pem", err);
}

static int renew(struct gb_error *err)
{
        if (init(err) < 0 || refuse_if_locked(err) < 0)
                return -1;
        return exists("node.key.new") && exists("node.pem.new") ? 0
                                                                : make("node.key.new", "node.pem.new", err);
}

/* 1: our certificate of that file is in the list; 0; -1. */
static int is_listed(const char *cert_file, const struct gb_certs *list, struct gb_error *err)
{
        struct gb_certs own = {0};
        int rc = gb_certs_load(&own, tls_file(cert_file), true, err);

        if (rc == 0)
                rc = gb_certs_find(list, own.list.v[0].fingerprint) != NULL;
        gb_certs_fini(&own);
        return rc;
}

static int activate(struct gb_error *err)
{
        struct gb_certs peers = {0};
        int rc;

        if (!exists("node.key.new") || !exists("node.pem.new"))
                return mend(err);
        if (refuse_if_locked(err) < 0)
                return -1;
        rc = gb_certs_load(&peers, tls_file("peers.pem"), true, err);
        if (rc == 0)
                rc = is_listed("node.pem.new", &peers, err);
        gb_certs_fini(&peers);
        if (rc == 0)
                return gb_error_set(err, GB_ERR_CONFIG, "the next certificate is not in peers.pem yet");
        if (rc < 0)
                return -1;
        if (rename(tls_file("node.key.new"), tls_file("node.key")) < 0 ||
            rename(tls_file("node.pem.new"), tls_file("node.pem")) < 0)
                return gb_error_sys(err, GB_ERR_SYSTEM, "take the next key into use");
        return 0;
}

/* ---- install ---- */

struct file {
        const char *name;
        struct gb_buf content;
};

static int check_peers(const struct gb_buf *b, struct gb_error *err)
{
        struct gb_certs list = {0};
        int rc = gb_certs_parse(&list, b->data, b->len, "peers.pem", err);

        if (rc == 0)
                rc = is_listed("node.pem", &list, err);
        gb_certs_fini(&list);
        if (rc == 0)
                return gb_error_set(err, GB_ERR_CONFIG, "the list of nodes that came lacks this node");
        return rc < 0 ? -1 : 0;
}

static int check_clients(const struct gb_buf *b, bool conf, struct gb_error *err)
{
        struct gb_certs list = {0};
        struct gb_access access = {0};
        int rc = conf ? gb_access_parse(&access, (const char *)b->data, b->len, "clients.conf", err)
                      : gb_certs_parse(&list, b->data, b->len, "clients.pem", err);

        gb_certs_fini(&list);
        gb_access_fini(&access);
        return rc;
}

static int take(const char *word, struct file *f, struct gb_error *err)
{
        static const char *const names[FILES_MAX] = {"peers.pem", "clients.pem", "clients.conf"};
        char path[sizeof(here.workdir) + 32], digest[GB_FINGERPRINT];
        const char *want = strchr(word, '=');

        for (size_t i = 0; want && i < FILES_MAX; i++)
                if (strlen(names[i]) == (size_t)(want - word) &&
                    !strncmp(word, names[i], (size_t)(want - word)))
                        f->name = names[i];
        if (!f->name)
                return gb_error_set(err, GB_ERR_USAGE, "'%.64s' is none of the files", word);
        snprintf(path, sizeof(path), "%s/%s", here.workdir, f->name);
        if (gb_file_read(path, GB_TRUST_MAX, &f->content, err) != 0 ||
            gb_sha256(f->content.data, f->content.len, digest, err) < 0)
                return -1;
        if (strcmp(digest, want + 1) != 0)
                return gb_error_set(err, GB_ERR_CORRUPT, "%s is not what was sent", path);
        return strcmp(f->name, "peers.pem")
                       ? check_clients(&f->content, !strcmp(f->name, "clients.conf"), err)
                       : check_peers(&f->content, err);
}

/* Certificates before the lines that speak of them. */
static int install(int n, char **words, struct gb_error *err)
{
        struct file files[FILES_MAX] = {{.name = NULL}};
        int rc = refuse_if_locked(err);

        if (n < 1 || n > FILES_MAX)
                return gb_error_set(err, GB_ERR_USAGE, "install NAME=SHA256...");
        for (int i = 0; i < n; i++)
                gb_buf_init(&files[i].content, GB_TRUST_MAX + 1);
        for (int i = 0; i < n && rc == 0; i++)
                rc = take(words[i], &files[i], err);
        for (int i = 0; i < n && rc == 0; i++)
                rc = gb_file_write(tls_file(files[i].name), files[i].content.data, files[i].content.len, 0644,
                                   err);
        for (int i = 0; i < n; i++)
                gb_buf_fini(&files[i].content);
        return rc;
}

/* ---- show ---- */

static int show_certificate(const char *file, const char *word, struct gb_error *err)
{
        struct gb_certs own = {0};
        unsigned char *der = NULL, *text = NULL;
        int len, rc = -1;

        if (!exists(file))
                return 0;
        if (gb_certs_load(&own, tls_file(file), true, err) < 0)
                goto out;
        len = i2d_X509(own.list.v[0].x509, &der);
        if (len <= 0 || !(text = malloc((size_t)len * 4 / 3 + 8))) {
                gb_error_set(err, GB_ERR_MEMORY, "out of memory");
                goto out;
        }
        EVP_EncodeBlock(text, der, len);
        printf("gbackup-tls %s %s %s\n", here.uuid, word, (char *)text);
        rc = 0;
out:
        OPENSSL_free(der);
        free(text);
        gb_certs_fini(&own);
        return rc;
}

static int show_trust(struct gb_error *err)
{
        struct gb_certs peers = {0};
        int rc = gb_certs_load(&peers, tls_file("peers.pem"), false, err);

        for (size_t i = 0; i < peers.list.n; i++)
                printf("gbackup-tls %s trusts %s\n", here.uuid, peers.list.v[i].fingerprint);
        gb_certs_fini(&peers);
        return rc;
}

static int append(struct gb_buf *all, const char *file, struct gb_error *err)
{
        struct gb_buf one;
        int rc;

        gb_buf_init(&one, GB_TRUST_MAX + 1);
        rc = gb_file_read(tls_file(file), GB_TRUST_MAX, &one, err);
        if (rc == 0 && gb_buf_put(all, one.data, one.len) < 0)
                rc = gb_error_set(err, GB_ERR_MEMORY, "out of memory");
        gb_buf_fini(&one);
        return rc < 0 ? -1 : 0;
}

static int show_clients(struct gb_error *err)
{
        char digest[GB_FINGERPRINT];
        struct gb_access access;
        struct gb_buf all;
        int rc;

        if (gb_access_load(&access, tls_file("clients.conf"), err) < 0)
                return -1;
        gb_buf_init(&all, 2 * GB_TRUST_MAX + 2);
        rc = append(&all, "clients.conf", err) < 0 || append(&all, "clients.pem", err) < 0 ||
                             gb_sha256(all.data, all.len, digest, err) < 0
                     ? -1
                     : 0;
        if (rc == 0)
                printf("gbackup-tls %s clients %llu %s\n", here.uuid, (unsigned long long)access.serial,
                       digest);
        gb_buf_fini(&all);
        gb_access_fini(&access);
        return rc;
}

static int show(struct gb_error *err)
{
        return show_certificate("node.pem", "certificate", err) < 0 ||
                               show_certificate("node.pem.new", "next", err) < 0 || show_trust(err) < 0 ||
                               show_clients(err) < 0
                       ? -1
                       : 0;
}

static int act(int argc, char **argv, struct gb_error *err)
{
        const char *what = argc > 1 ? argv[1] : "";

        if (!strcmp(what, "init"))
                return init(err);
        if (!strcmp(what, "renew"))
                return renew(err);
        if (!strcmp(what, "activate"))
                return activate(err);
        if (!strcmp(what, "install"))
                return install(argc - 2, argv + 2, err);
        if (!strcmp(what, "show"))
                return 0;
        return gb_error_set(err, GB_ERR_USAGE,
                            "'%.64s': this node's gbackup does not know that; other version?", what);
}

int main(int argc, char **argv)
{
        struct gb_error err;

        umask(0077);
        strcpy(here.uuid, "00000000-0000-0000-0000-000000000000");
        if (find_node(&err) < 0 || act(argc, argv, &err) < 0 || show(&err) < 0) {
                /* One line, in words that are no others'. */
                for (char *p = err.text; *p; p++)
                        if ((unsigned char)*p < 0x20)
                                *p = ' ';
                printf("gbackup-tls %s error %s\n", here.uuid, err.text);
                return 0;
        }
        printf("gbackup-tls %s done\n", here.uuid);
        return 0;
}

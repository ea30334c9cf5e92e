/*
 * volinfo - read what `gluster --xml` says about a volume.
 *
 * The XML comes from a program on this machine, but what it contains passed through other nodes, so it
 * is treated as foreign.  gluster never writes a DOCTYPE: refusing it at its first character closes the
 * door on entities of every kind, internal bombs and external files alike, before one is defined.
 * Comments and processing instructions are not kept, elements and attributes are counted while they
 * are parsed, so the tree cannot outgrow the text by much.
 *
 * Facts that shape the reading (8.1): success is opRet, not the exit status; a <brick> is mixed
 * content, of which the <name> child counts; daemons are listed as nodes too; bricks of a peer that is
 * disconnected are not listed at all, so a brick is offline until a node says otherwise.
 */
#include <config.h>

#include "gluster.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/tree.h>

#include "base/cleanup.h"
#include "base/limits.h"

/* Nesting; real answers are seven deep. */
#define XML_DEPTH_MAX 32
/* Elements and attributes of a document; a volume of GB_BRICKS_MAX bricks needs a quarter of it. */
#define XML_NODES_MAX 262144
/* Options set on a volume. */
#define OPTIONS_MAX 4096

/* glusterd: EG_NOVOL, the volume does not exist; EG_INTRNL is for anything else. */
#define EG_NOVOL "30806"

/* ---- parsing under guard ---- */

struct guard {
        unsigned nodes;
        enum gb_code code;
        const char *refused; /* why the parser was stopped, or NULL */
};

static void refuse(xmlParserCtxtPtr ctxt, enum gb_code code, const char *why)
{
        struct guard *g = ctxt->_private;

        if (!g->refused) {
                g->code = code;
                g->refused = why;
        }
        xmlStopParser(ctxt);
}

static void on_doctype(void *ctx, const xmlChar *name, const xmlChar *external_id, const xmlChar *system_id)
{
        (void)name;
        (void)external_id;
        (void)system_id;
        refuse(ctx, GB_ERR_GLUSTER, "a DOCTYPE");
}

static void on_element(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                       int n_namespaces, const xmlChar **namespaces, int n_attributes, int n_defaulted,
                       const xmlChar **attributes)
{
        xmlParserCtxtPtr ctxt = ctx;
        struct guard *g = ctxt->_private;

        if (g->refused)
                return;
        g->nodes += 1 + (unsigned)n_attributes + (unsigned)n_namespaces;
        if (g->nodes > XML_NODES_MAX) {
                refuse(ctxt, GB_ERR_LIMIT, "too many elements");
                return;
        }
        if (ctxt->nodeNr >= XML_DEPTH_MAX) {
                refuse(ctxt, GB_ERR_LIMIT, "elements nested too deep");
                return;
        }
        xmlSAX2StartElementNs(ctx, name, prefix, uri, n_namespaces, namespaces, n_attributes, n_defaulted,
                              attributes);
}

static xmlParserCtxtPtr guarded_parser(struct guard *g)
{
        xmlParserCtxtPtr ctxt = xmlNewParserCtxt();

        if (!ctxt)
                return NULL;
        ctxt->_private = g;
        ctxt->sax->internalSubset = on_doctype;
        ctxt->sax->startElementNs = on_element;
        ctxt->sax->comment = NULL;
        ctxt->sax->processingInstruction = NULL;
        return ctxt;
}

static int explain(const struct guard *g, xmlParserCtxtPtr ctxt, struct gb_error *err)
{
        const xmlError *last = xmlCtxtGetLastError(ctxt);

        if (g->refused)
                return gb_error_set(err, g->code, "answer refused: %s", g->refused);
        if (last && last->code == XML_ERR_NO_MEMORY)
                return gb_error_set(err, GB_ERR_MEMORY, "answer: out of memory");
        if (last && last->message)
                return gb_error_set(err, GB_ERR_GLUSTER, "answer is not XML: line %d: %.*s", last->line,
                                    (int)strcspn(last->message, "\n"), last->message);
        return gb_error_set(err, GB_ERR_GLUSTER, "answer is not XML");
}

/* A sound document whose root is <cliOutput>, to be freed by the caller; or NULL. */
static xmlDocPtr parse(const void *xml, size_t len, struct gb_error *err)
{
        const int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA;
        struct guard g = {.refused = NULL};
        xmlParserCtxtPtr ctxt;
        xmlNodePtr root;
        xmlDocPtr doc;

        if (len > GB_XML_MAX) {
                gb_error_set(err, GB_ERR_LIMIT, "answer is larger than %d bytes", GB_XML_MAX);
                return NULL;
        }
        ctxt = guarded_parser(&g);
        if (!ctxt) {
                gb_error_set(err, GB_ERR_MEMORY, "answer: out of memory");
                return NULL;
        }
        doc = xmlCtxtReadMemory(ctxt, xml, (int)len, NULL, NULL, options);
        if (!doc || g.refused) {
                explain(&g, ctxt, err);
                goto fail;
        }
        root = xmlDocGetRootElement(doc);
        if (!root || strcmp((const char *)root->name, "cliOutput") != 0) {
                gb_error_set(err, GB_ERR_GLUSTER, "answer is not a cliOutput document");
                goto fail;
        }
        xmlFreeParserCtxt(ctxt);
        return doc;
fail:
        xmlFreeDoc(doc);
        xmlFreeParserCtxt(ctxt);
        return NULL;
}

static void free_doc(xmlDocPtr *doc)
{
        xmlFreeDoc(*doc);
}

#define CLEANUP_DOC __attribute__((cleanup(free_doc)))

/* ---- the tree ---- */

static bool is_named(const xmlNode *n, const char *name)
{
        return n->type == XML_ELEMENT_NODE && strcmp((const char *)n->name, name) == 0;
}

/* `n` itself or the next sibling of that name; NULL. */
static const xmlNode *find(const xmlNode *n, const char *name)
{
        while (n && !is_named(n, name))
                n = n->next;
        return n;
}

static const xmlNode *child(const xmlNode *parent, const char *name)
{
        return parent ? find(parent->children, name) : NULL;
}

/* Down a path of at most three names. */
static const xmlNode *descend(const xmlNode *n, const char *a, const char *b, const char *c)
{
        n = child(n, a);
        n = b ? child(n, b) : n;
        return c ? child(n, c) : n;
}

/* Text of a child that holds nothing but text: borrowed, "" if it is empty, NULL if it is not there. */
static const char *text(const xmlNode *parent, const char *name)
{
        const xmlNode *n = child(parent, name);

        if (!n)
                return NULL;
        if (!n->children)
                return "";
        if (n->children->type != XML_TEXT_NODE || n->children->next)
                return NULL;
        return (const char *)n->children->content;
}

static bool text_is(const xmlNode *parent, const char *name, const char *value)
{
        const char *t = text(parent, name);

        return t && strcmp(t, value) == 0;
}

/* A child holding a number of 0..max. */
static bool number(const xmlNode *parent, const char *name, unsigned max, unsigned *out)
{
        const char *t = text(parent, name);
        unsigned v = 0;

        if (!t || !*t)
                return false;
        for (; *t; t++) {
                if (*t < '0' || *t > '9')
                        return false;
                v = v * 10 + (unsigned)(*t - '0');
                if (v > max) /* max is far below UINT_MAX / 10 */
                        return false;
        }
        *out = v;
        return true;
}

static bool uuid(const char *t, gb_gfid *out)
{
        return t && gb_gfid_parse(t, strlen(t), out);
}

/* ---- opRet ---- */

/* What gluster complains of, as a code of ours.  Its error numbers say little: 30800 is for everything. */
static enum gb_code complaint(const char *number, const char *why)
{
        if (strstr(why, "Another transaction") || strstr(why, "Locking failed"))
                return GB_ERR_AGAIN;
        if (strcmp(number, EG_NOVOL) == 0)
                return GB_ERR_NO_VOLUME;
        if (strncmp(why, "Volume ", 7) == 0 && strstr(why, "does not exist"))
                return GB_ERR_NO_VOLUME;
        return GB_ERR_GLUSTER;
}

static int check_result(xmlDocPtr doc, struct gb_error *err)
{
        const xmlNode *root = xmlDocGetRootElement(doc);
        const char *ret = text(root, "opRet");
        const char *number = text(root, "opErrno");
        const char *why = text(root, "opErrstr");

        if (!ret)
                return gb_error_set(err, GB_ERR_GLUSTER, "answer lacks opRet");
        if (strcmp(ret, "0") == 0)
                return 0;
        if (!number)
                number = "?";
        if (!why || !*why)
                why = text(root, "output");
        if (!why || !*why)
                return gb_error_set(err, complaint(number, ""), "error %.32s", number);
        return gb_error_set(err, complaint(number, why), "%.500s", why);
}

int gb_xml_result(const void *xml, size_t len, struct gb_error *err)
{
        CLEANUP_DOC xmlDocPtr doc = parse(xml, len, err);

        return doc ? check_result(doc, err) : -1;
}

/* ---- gb_volinfo ---- */

static void free_peers(struct gb_volinfo *v)
{
        for (size_t i = 0; i < v->peers.n; i++)
                free(v->peers.v[i].host);
        gb_vec_free(&v->peers);
}

void gb_volinfo_fini(struct gb_volinfo *v)
{
        for (size_t i = 0; i < v->bricks.n; i++) {
                free(v->bricks.v[i].host);
                free(v->bricks.v[i].path);
        }
        for (size_t i = 0; i < v->options.n; i++) {
                free(v->options.v[i].name);
                free(v->options.v[i].value);
        }
        gb_vec_free(&v->bricks);
        gb_vec_free(&v->options);
        free_peers(v);
        free(v->name);
        *v = (struct gb_volinfo){.name = NULL};
}

const char *gb_volinfo_option(const struct gb_volinfo *v, const char *name)
{
        for (size_t i = 0; i < v->options.n; i++)
                if (strcmp(v->options.v[i].name, name) == 0)
                        return v->options.v[i].value;
        return NULL;
}

static int no_memory(struct gb_error *err)
{
        return gb_error_set(err, GB_ERR_MEMORY, "answer: out of memory");
}

/* ---- volume info ---- */

/* A host name ends up in argument lists and log lines: no blanks, no controls, no leading hyphen. */
static bool host_valid(const char *host, size_t len)
{
        if (!len || len > GB_HOST_MAX || host[0] == '-')
                return false;
        for (size_t i = 0; i < len; i++)
                if ((unsigned char)host[i] <= ' ' || host[i] == 0x7f)
                        return false;
        return true;
}

/* "host:/path": the host may be an IPv6 address, so the colon is the last one before the first slash. */
static int split_brick(const char *name, struct gb_vol_brick *b, struct gb_error *err)
{
        const char *slash = strchr(name, '/');
        size_t host;

        if (!slash || slash == name || slash[-1] != ':')
                return gb_error_set(err, GB_ERR_GLUSTER, "not a brick: %.200s", name);
        host = (size_t)(slash - name) - 1;
        if (!host_valid(name, host))
                return gb_error_set(err, GB_ERR_GLUSTER, "brick with a bad host name: %.200s", name);
        if (strlen(slash) > GB_BRICK_PATH_MAX)
                return gb_error_set(err, GB_ERR_LIMIT, "brick path too long: %.200s", name);
        b->host = strndup(name, host);
        b->path = strdup(slash);
        return b->host && b->path ? 0 : no_memory(err);
}

static int read_brick(const xmlNode *n, struct gb_vol_brick *b, struct gb_error *err)
{
        const char *name = text(n, "name");
        xmlChar *owner;
        bool known;

        if (!name)
                return gb_error_set(err, GB_ERR_GLUSTER, "brick without a name");
        known = uuid(text(n, "hostUuid"), &b->node);
        if (!known) {
                owner = xmlGetNoNsProp(n, (const xmlChar *)"uuid");
                known = uuid((const char *)owner, &b->node);
                xmlFree(owner);
        }
        if (!known)
                return gb_error_set(err, GB_ERR_GLUSTER, "brick %.200s without its host's uuid", name);
        b->arbiter = text_is(n, "isArbiter", "1");
        return split_brick(name, b, err);
}

static int read_bricks(const xmlNode *volume, struct gb_volinfo *v, struct gb_error *err)
{
        const xmlNode *n = child(volume, "bricks");
        unsigned expected;

        if (!n || !number(volume, "brickCount", GB_BRICKS_MAX, &expected))
                return gb_error_set(err, GB_ERR_GLUSTER, "volume %s without a sound list of bricks", v->name);
        for (n = find(n->children, "brick"); n; n = find(n->next, "brick")) {
                struct gb_vol_brick b = {.host = NULL};

                if (v->bricks.n == expected)
                        return gb_error_set(err, GB_ERR_GLUSTER, "volume %s lists more than %u bricks",
                                            v->name, expected);
                if (read_brick(n, &b, err) < 0 || (gb_vec_push(&v->bricks, b) < 0 && no_memory(err))) {
                        free(b.host);
                        free(b.path);
                        return -1;
                }
        }
        if (!expected || v->bricks.n != expected)
                return gb_error_set(err, GB_ERR_GLUSTER, "volume %s lists %zu bricks, says %u", v->name,
                                    v->bricks.n, expected);
        return 0;
}

/* Bricks come in order, set after set. */
static int read_geometry(const xmlNode *volume, struct gb_volinfo *v, struct gb_error *err)
{
        unsigned disperse, replica;

        if (!number(volume, "disperseCount", GB_BRICKS_MAX, &disperse) ||
            !number(volume, "replicaCount", GB_BRICKS_MAX, &replica) ||
            !number(volume, "redundancyCount", GB_BRICKS_MAX, &v->redundancy))
                return gb_error_set(err, GB_ERR_GLUSTER, "volume %s without its geometry", v->name);
        v->disperse = disperse > 0;
        v->set_size = v->disperse ? disperse : replica;
        if (!v->set_size || v->bricks.n % v->set_size)
                return gb_error_set(err, GB_ERR_GLUSTER, "volume %s: %zu bricks in sets of %u", v->name,
                                    v->bricks.n, v->set_size);
        return 0;
}

static int read_options(const xmlNode *volume, struct gb_volinfo *v, struct gb_error *err)
{
        const xmlNode *n = child(volume, "options");

        for (n = n ? find(n->children, "option") : NULL; n; n = find(n->next, "option")) {
                const char *name = text(n, "name");
                const char *value = text(n, "value");
                struct gb_vol_option o;

                if (!name || !value)
                        return gb_error_set(err, GB_ERR_GLUSTER, "volume %s: option without %s", v->name,
                                            name ? "a value" : "a name");
                if (v->options.n == OPTIONS_MAX)
                        return gb_error_set(err, GB_ERR_LIMIT, "volume %s has more than %d options", v->name,
                                            OPTIONS_MAX);
                o = (struct gb_vol_option){strdup(name), strdup(value)};
                if (!o.name || !o.value || gb_vec_push(&v->options, o) < 0) {
                        free(o.name);
                        free(o.value);
                        return no_memory(err);
                }
        }
        return 0;
}

static int read_volume(const xmlNode *n, const char *name, struct gb_volinfo *v, struct gb_error *err)
{
        unsigned status;

        v->name = strdup(name);
        if (!v->name)
                return no_memory(err);
        if (!uuid(text(n, "id"), &v->id))
                return gb_error_set(err, GB_ERR_GLUSTER, "volume %s without an id", name);
        if (!number(n, "status", 1000, &status))
                return gb_error_set(err, GB_ERR_GLUSTER, "volume %s without a status", name);
        v->started = status == 1;
        if (read_bricks(n, v, err) < 0 || read_geometry(n, v, err) < 0)
                return -1;
        return read_options(n, v, err);
}

/* The <volume> whose `key` is `name`.  An answer about other volumes only is not to be trusted. */
static const xmlNode *find_volume(const xmlNode *volumes, const char *key, const char *name,
                                  struct gb_error *err)
{
        const xmlNode *first = child(volumes, "volume");

        for (const xmlNode *n = first; n; n = find(n->next, "volume"))
                if (text_is(n, key, name))
                        return n;
        if (first)
                gb_error_set(err, GB_ERR_GLUSTER, "answered for another volume than %s", name);
        else
                gb_error_set(err, volumes ? GB_ERR_NO_VOLUME : GB_ERR_GLUSTER, "answered without volume %s",
                             name);
        return NULL;
}

int gb_xml_volume_info(const void *xml, size_t len, const char *volume, struct gb_volinfo *v,
                       struct gb_error *err)
{
        CLEANUP_DOC xmlDocPtr doc = parse(xml, len, err);
        const xmlNode *n;

        *v = (struct gb_volinfo){.name = NULL};
        if (!doc || check_result(doc, err) < 0)
                return -1;
        n = find_volume(descend(xmlDocGetRootElement(doc), "volInfo", "volumes", NULL), "name", volume, err);
        if (!n)
                return -1;
        if (read_volume(n, volume, v, err) < 0) {
                gb_volinfo_fini(v);
                return -1;
        }
        return 0;
}

/* ---- volume status ---- */

static void all_offline(struct gb_volinfo *v)
{
        for (size_t i = 0; i < v->bricks.n; i++)
                v->bricks.v[i].online = false;
        v->rebalancing = false;
}

/* The brick a node entry stands for.  peerid is the uuid of its node and decides; only an answer
 * without it is matched by host name. */
static struct gb_vol_brick *brick_of_node(const xmlNode *n, struct gb_volinfo *v)
{
        const char *path = text(n, "path");
        const char *host = text(n, "hostname");
        gb_gfid node;
        bool has_node = uuid(text(n, "peerid"), &node);

        if (!path || path[0] != '/' || (!has_node && !host))
                return NULL;
        for (size_t i = 0; i < v->bricks.n; i++) {
                struct gb_vol_brick *b = &v->bricks.v[i];

                if (strcmp(b->path, path) != 0)
                        continue;
                if (has_node ? gb_gfid_eq(&b->node, &node) : strcmp(b->host, host) == 0)
                        return b;
        }
        return NULL;
}

/* A task that moves files about: 1 is "in progress", 5 the same of a fix-layout. */
static bool has_running_task(const xmlNode *volume)
{
        const xmlNode *n = child(volume, "tasks");

        for (n = n ? find(n->children, "task") : NULL; n; n = find(n->next, "task"))
                if (text_is(n, "status", "1") || text_is(n, "status", "5"))
                        return true;
        return false;
}

static bool not_started(const xmlNode *root)
{
        const char *why = text(root, "opErrstr");

        return text_is(root, "opRet", "-1") && why && strstr(why, "not started");
}

int gb_xml_volume_status(const void *xml, size_t len, struct gb_volinfo *v, struct gb_error *err)
{
        CLEANUP_DOC xmlDocPtr doc = parse(xml, len, err);
        const xmlNode *volume, *n;

        all_offline(v);
        if (!doc)
                return -1;
        if (not_started(xmlDocGetRootElement(doc))) {
                v->started = false;
                return 0;
        }
        if (check_result(doc, err) < 0)
                return -1;
        n = descend(xmlDocGetRootElement(doc), "volStatus", "volumes", NULL);
        volume = find_volume(n, "volName", v->name, err);
        if (!volume)
                return -1;
        for (n = child(volume, "node"); n; n = find(n->next, "node")) {
                struct gb_vol_brick *b = brick_of_node(n, v);

                if (b)
                        b->online = text_is(n, "status", "1");
        }
        v->rebalancing = has_running_task(volume);
        return 0;
}

/* ---- pool list ---- */

static int read_peer(const xmlNode *n, struct gb_volinfo *v, struct gb_error *err)
{
        const char *host = text(n, "hostname");
        struct gb_vol_peer p = {.connected = text_is(n, "connected", "1")};

        if (!uuid(text(n, "uuid"), &p.node))
                return gb_error_set(err, GB_ERR_GLUSTER, "peer without a uuid");
        if (!host || !host_valid(host, strlen(host)))
                return gb_error_set(err, GB_ERR_GLUSTER, "peer without a sound host name");
        if (v->peers.n == GB_PEERS_MAX)
                return gb_error_set(err, GB_ERR_LIMIT, "more than %d peers", GB_PEERS_MAX);
        p.host = strdup(host);
        if (!p.host || gb_vec_push(&v->peers, p) < 0) {
                free(p.host);
                return no_memory(err);
        }
        return 0;
}

int gb_xml_pool_list(const void *xml, size_t len, struct gb_volinfo *v, struct gb_error *err)
{
        CLEANUP_DOC xmlDocPtr doc = parse(xml, len, err);
        const xmlNode *n;

        free_peers(v);
        if (!doc || check_result(doc, err) < 0)
                return -1;
        n = child(xmlDocGetRootElement(doc), "peerStatus");
        if (!n)
                return gb_error_set(err, GB_ERR_GLUSTER, "no list of peers");
        for (n = find(n->children, "peer"); n; n = find(n->next, "peer"))
                if (read_peer(n, v, err) < 0)
                        return -1;
        return 0;
}

/*
 * cmd_tls - the words behind `gbackup-cli tls`.
 */
#include <config.h>

#include <string.h>

#include "command.h"
#include "trust.h"

static int setup(const struct gb_cli *c, char **a)
{
        (void)a;
        return gb_trust_setup(c);
}
static int status(const struct gb_cli *c, char **a)
{
        (void)a;
        return gb_trust_status(c);
}
static int key(const struct gb_cli *c, char **a)
{
        return gb_trust_key(c, a[0]);
}
static int trust(const struct gb_cli *c, char **a)
{
        return gb_trust_nodes(c, a[0] ? a[0] : "-");
}
static int add_client(const struct gb_cli *c, char **a)
{
        return gb_trust_add_client(c, a[0], a[1], a[2], a[3] ? a[3] : "-");
}
static int remove_client(const struct gb_cli *c, char **a)
{
        return gb_trust_remove_client(c, a[0]);
}

static const struct {
        const char *word;
        int min, max;
        const char *usage;
        int (*run)(const struct gb_cli *c, char **a);
} words[] = {
        {"setup", 0, 0, "", setup},
        {"status", 0, 0, "", status},
        {"key", 0, 1, " [NAME]", key},
        {"trust", 0, 1, " [FILE]", trust},
        {"add-client", 3, 4, " NAME list|session VOLUME,...|* [FILE]", add_client},
        {"remove-client", 1, 1, " NAME", remove_client},
};

int gb_cmd_tls(const struct gb_cli *c, int argc, char **argv)
{
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
                if (strcmp(argv[0], words[i].word) != 0)
                        continue;
                if (argc - 1 >= words[i].min && argc - 1 <= words[i].max)
                        return words[i].run(c, argv + 1); /* argv ends in NULL */
                gb_say("usage: gbackup-cli tls %s%s", words[i].word, words[i].usage);
                return GB_EXIT_USAGE;
        }
        gb_say("tls setup, status, key, trust, add-client or remove-client; see gbackup-cli(1)");
        return GB_EXIT_USAGE;
}

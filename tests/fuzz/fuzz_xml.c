/* links: agent base */
/*
 * What gluster(8) says in XML.
 */
#include <config.h>

#include <stdlib.h>

#include "fuzz.h"
#include "gluster.h"

const char *const fuzz_data[] = {"volinfo", "xml", NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const char *const volumes[] = {"fa_dr", "fa_ad", "fa_arb", "fa_ec", "fa_sh", "fa_dht", "v"};
        struct gb_error err;

        for (size_t i = 0; i < sizeof(volumes) / sizeof(volumes[0]); i++) {
                struct gb_volinfo v = {0};

                if (gb_xml_volume_info(data, size, volumes[i], &v, &err) < 0)
                        continue;
                if (!v.name || !v.set_size || v.bricks.n % v.set_size)
                        abort();
                gb_xml_volume_status(data, size, &v, &err);
                gb_xml_pool_list(data, size, &v, &err);
                gb_volinfo_fini(&v);
        }
        gb_xml_result(data, size, &err);
        return 0;
}

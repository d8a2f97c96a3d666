#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "climbs.h"
#include "schema.h"

#define SCHEMA OSP_SOURCE "/tools/ladder/ladder.schema.json"

json_t *climb_json(const char *op, const char *shape, const char *backend)
{
    char why[512];
    json_error_t error;
    struct outcome run = ladder(op, "--gpu", "none", "--backend", backend, "--shape", shape, "--json", "-");
    if (run.status)
        fail_msg("%s on %s: exit %d: %s", op, backend, run.status, run.err);
    json_t *json = json_loads(run.out, 0, &error), *schema = json_load_file(SCHEMA, 0, &error);
    assert_non_null(json);
    assert_non_null(schema);
    if (!schema_accepts(schema, json, why, sizeof why))
        fail_msg("%s on %s: %s", op, backend, why);
    json_decref(schema);
    process_free(&run);
    return json;
}

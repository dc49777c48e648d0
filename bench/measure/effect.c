/* effect.c - flips against their base (see effect.h). */
#include "effect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of the digests both arms have. */
static bool same_digests(const json_t *a, const json_t *b)
{
    const char *field;
    json_t *value;
    bool same = true;
    json_object_foreach(json_object_get(a, "digest"), field, value)
    {
        const json_t *other = json_object_get(json_object_get(b, "digest"), field);
        same &= !json_is_string(value) || !json_is_string(other) || json_equal(value, other);
    }
    return same;
}

void tare__effects_take(const tare__results *r, int base, const int *arm, int n, tare__effect *effect)
{
    tare__reference reference = r->reference;
    tare__summary summary;
    double *p = tare__take((size_t)n + 1, sizeof *p), *adjusted = tare__take((size_t)n + 1, sizeof *p);
    reference.base = base; /* ratios to it; whether the run is trusted is the floor's A/A arm's to say */
    tare__summary_take(&summary, &r->blocks, &reference);
    for (int i = 0; i < n; ++i) {
        effect[i] = (tare__effect){.p = (double)NAN, .p_holm = (double)NAN};
        p[i] = (double)NAN;
        if (arm[i] < 0)
            continue;
        const json_t *a = r->opening[arm[i]], *b = r->opening[base];
        effect[i].ns = tare__paired(&r->summary, &r->blocks, arm[i], base);
        effect[i].logs = summary.arm[arm[i]].logs;
        effect[i].p = p[i] = tare__p_value(effect[i].logs);
        effect[i].same_bits = same_digests(a, b);
        effect[i].same_calls = json_equal(json_object_get(a, "calls_digest"), json_object_get(b, "calls_digest"));
    }
    tare__holm(p, adjusted, n);
    for (int i = 0; i < n; ++i)
        effect[i].p_holm = adjusted[i];
    free(p);
    free(adjusted);
    tare__summary_fini(&summary);
}

void tare__counts_difference(const tare__results *r, int base, int arm, char *text, size_t bytes)
{
    size_t used = 0;
    const char *name;
    json_t *value;
    (void)snprintf(text, bytes, "-");
    json_object_foreach(json_object_get(r->opening[arm], "counts"), name, value)
    {
        int64_t difference = json_integer_value(value) - tare__opened_count(r, base, "counts", name);
        if (difference && used < bytes)
            used += (size_t)snprintf(text + used, bytes - used, "%s%s %+lld", used ? ", " : "", name,
                                     (long long)difference);
    }
}

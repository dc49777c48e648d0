/* data_command.c - `tare data`: writes a data set of a kind that data/ knows. */
#include "../../data/formats.h"
#include "commands.h"

int tare__data_run(const tare__line *line)
{
    const tare_data_kind *kind = tare_data_kind_find(line->word[0]);
    if (!kind)
        return tare__status_usage(line, TARE_NOT_FOUND);
    const char *folder = tare__text(line, "out");
    if (!folder)
        return tare__usage(line, "--out DIR is wanted");
    int64_t count = kind->count_default, seed = (int64_t)kind->seed_default;
    int code = tare__integer(line, "count", 1, 1000000000, &count);
    if (!code && tare__given(line, "seed"))
        code = tare__integer(line, "seed", 0, INT64_MAX, &seed);
    if (code)
        return code;
    tare_memory memory = {0};
    tare_status status = kind->write(&memory, folder, (uint64_t)seed, count);
    if (status != TARE_OK)
        return tare__status_failed(line, status);
    printf("%s: %s, %lld samples, seed %lld\n", folder, kind->name, (long long)count, (long long)seed);
    return TARE__RAN;
}

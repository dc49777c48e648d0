/* attributes.c - fuzz target: one text as the attributes of every operator, the options of every net and optimizer. */
#include "../../core/op.h"
#include "../../nets/net.h"
#include "fuzz.h"

static void parse(const char *owner, const tare_attr *attrs, int n, size_t bytes, const char *text)
{
    char printed[4096];
    void *out = calloc(1, bytes + 1), *again = calloc(1, bytes + 1);
    FUZZ_CLAIM(out && again);
    if (tare_attr_parse(owner, attrs, n, text, out) == TARE_OK) {
        FUZZ_OK(tare_attr_parse(owner, attrs, n, tare_attr_print(attrs, n, out, printed, sizeof printed), again));
        FUZZ_CLAIM(memcmp(out, again, bytes) == 0);
    } else {
        FUZZ_CLAIM(strstr(tare_error_text(), owner) && !strchr(tare_error_text(), '\n'));
    }
    free(out);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static tare_runtime *rt; /* read only: the catalogue; goes with the process */
    if (!rt) {
        FUZZ_OK(tare_start(NULL, &rt));
        FUZZ_OK(tare_nets_register(rt));
    }
    char *text = calloc(1, size + 1);
    FUZZ_CLAIM(text);
    if (size)
        memcpy(text, data, size);
    for (int i = 0; i < rt->n_records[TARE_KIND_OPERATOR]; ++i) {
        const tare_op *op = (const void *)rt->record[TARE_KIND_OPERATOR][i];
        parse(op->name, op->attrs, op->n_attrs, op->attr_bytes, text);
    }
    for (int i = 0; i < rt->n_records[TARE_KIND_NET]; ++i) {
        const tare_net_type *net = (const void *)rt->record[TARE_KIND_NET][i];
        parse(net->name, net->options, net->n_options, net->option_bytes, text);
    }
    for (int i = 0; i < rt->n_records[TARE_KIND_OPTIMIZER]; ++i) {
        const tare_optimizer_type *optimizer = (const void *)rt->record[TARE_KIND_OPTIMIZER][i];
        parse(optimizer->name, optimizer->options, optimizer->n_options, optimizer->option_bytes, text);
    }
    free(text);
    return 0;
}

/* other_headers.c - of this ABI, but a record has another size. */
#include "operator.h"

extern TARE_API const tare_plugin tare_plugin_entry;
const tare_plugin tare_plugin_entry = {.abi = TARE_PLUGIN_ABI, .sizes = {sizeof(tare_op) + 8}, .name = "other"};

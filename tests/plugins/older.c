/* older.c - made for another ABI; nothing behind the first field can be relied on. */
#include "../../core/status.h"

#include <stdint.h>

extern TARE_API const uint32_t tare_plugin_entry[2];
const uint32_t tare_plugin_entry[2] = {999, 0};

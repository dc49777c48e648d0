/* no_entry.c - a shared object that is no plug-in. */
#include "operator.h"

extern TARE_API const tare_op *const something;
const tare_op *const something = &twice;

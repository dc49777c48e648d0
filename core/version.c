/* version.c - the release and the commit, told by the build (the only file recompiled when the commit changes). */
#include "version.h"

#include <tare_commit.h>

const char *tare_version(void)
{
    return TARE_VERSION;
}

const char *tare_commit(void)
{
    return TARE_COMMIT;
}

/* version.h - which tare this is: the release, and the commit it was built from. */
#ifndef TARE_CORE_VERSION_H
#define TARE_CORE_VERSION_H

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The release, "major.minor.patch". Never NULL; any thread. */
TARE_API const char *tare_version(void);

/* The git commit of the build (12 digits, "-dirty" when files differed from it); "unknown" when it was not built from
 * a git checkout. Never NULL; any thread. */
TARE_API const char *tare_commit(void);

#ifdef __cplusplus
}
#endif
#endif

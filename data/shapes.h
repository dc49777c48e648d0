/* shapes.h - a stand-in for CIFAR-10 that needs no network: rendered shapes with a texture.
 *
 * The files have CIFAR-10's names and format (see cifar.h), so that whatever reads CIFAR-10 reads them. A class is one
 * of five shapes and one of two textures: the outline alone tells half of it, the texture a fifth. Colours, place,
 * size, turn, the texture's own turn and scale, light and grain differ from image to image and tell nothing. */
#ifndef TARE_DATA_SHAPES_H
#define TARE_DATA_SHAPES_H

#include <stdint.h>

#include "../core/memory.h"
#include "../core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Writes data_batch_1.bin to data_batch_5.bin (`count` images together, 5 or more), test_batch.bin (a fifth of them)
 * and batches.meta.txt (the classes' names) into `folder`, which is made if it is missing: all files or none. Every
 * class is there equally often, give or take one. The bytes depend on seed and count alone, and image i on seed, its
 * class and i.
 */
TARE_API tare_status tare_shapes_write(tare_memory *memory, const char *folder, uint64_t seed, int64_t count);

#ifdef __cplusplus
}
#endif
#endif

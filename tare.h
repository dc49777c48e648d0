/* tare.h - everything a program needs: #include <tare/tare.h>. */
#ifndef TARE_H
#define TARE_H

#include "core/capture.h"
#include "core/gradient.h"
#include "core/plugin.h"
#include "core/runtime.h"
#include "core/version.h"
#include "data/batches.h"
#include "data/dataset.h"
#include "data/metrics.h"
#include "graph/graph.h"
#include "imperative/imperative.h"
#include "nets/checkpoint.h"
#include "nets/layer.h"
#include "nets/layer_image.h"
#include "nets/net.h"
#include "ops/ops.h"
#include "pack/pack.h"

#endif

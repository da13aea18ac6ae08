/* SPDX-License-Identifier: MIT */
/*
 * route.h - the story of a request, top to bottom
 *
 * The edges (preload/, allocator/, api/) turn a call into one of these and
 * hand the result back unchanged. Values are the kernel's: an address or 0, or
 * -errno exactly as the real call would have given on small pages.
 *
 * All are safe from any thread and from signal handlers, before main() too.
 */
#ifndef HRESV_CORE_ROUTE_H
#define HRESV_CORE_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/decide/request.h"

/* mmap(2), any request: rerouted, guarded, or passed on. */
long route_map(const struct request *rq);

/* munmap(2) of anything. */
long route_unmap(uintptr_t at, size_t bytes);

/*
 * Is any of [at, at + bytes) ours? The edges ask this first and make the plain
 * call when it is not. Costs two loads for a range that fits a granule.
 */
bool route_concerns(uintptr_t at, size_t bytes);

#endif

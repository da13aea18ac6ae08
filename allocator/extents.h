/* SPDX-License-Identifier: MIT */
/*
 * extents.h - where the engine's arenas get address space and memory
 */
#ifndef HRESV_ALLOCATOR_EXTENTS_H
#define HRESV_ALLOCATOR_EXTENTS_H

#include "allocator/engine.h"

/* The hooks all arenas get. Safe for any number of arenas and threads. */
extern extent_hooks_t extents_hooks;

#endif

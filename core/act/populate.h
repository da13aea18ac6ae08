/* SPDX-License-Identifier: MIT */
/*
 * populate.h - the populating half of backing.h, for backing.c
 *
 * Who holds turns for how long, when the gate is left in between, and what a
 * fork child must know of it. backing_populate(), backing_prove() and
 * backing_fill() are declared in backing.h and live here too.
 */
#ifndef HRESV_CORE_ACT_POPULATE_H
#define HRESV_CORE_ACT_POPULATE_H

#include <stddef.h>
#include <stdint.h>

#include "core/act/backing.h"
#include "core/act/turn.h"

/* A turn of that kind, or none when the caller of backing_make() holds it. */
struct turn populate_turn(const struct backing *how, enum turn_kind kind);

/*
 * Populates @pages at the fresh address @at, all of whose @bytes a fork child
 * gives up meanwhile. Returns how many came, from the first on.
 */
size_t populate_noted(const struct backing *how, uintptr_t at, size_t bytes, size_t pages);

#endif

/* SPDX-License-Identifier: MIT */
/* apart_maps.h - this process' mappings, also where it has no descriptor left (apart.h) */
#ifndef HRESV_CORE_ACT_APART_MAPS_H
#define HRESV_CORE_ACT_APART_MAPS_H

#include <stdint.h>

#include "core/base/mem.h"
#include "core/facts/maps.h"

/* As maps_read_range(), maps_read_ends() and maps_read_end(), and -ENOMEM in place of -EMFILE. */
int apart_read_range(uintptr_t lo, uintptr_t hi, struct map_facts *ret_facts);
int apart_read_ends(uintptr_t lo, uintptr_t hi, struct blob *ret_ends);
int apart_read_end(uintptr_t at, uintptr_t *ret_end);

#endif

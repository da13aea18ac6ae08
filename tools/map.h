/* SPDX-License-Identifier: MIT */
/* map.h - what the two pictures of `hresv map` share */
#ifndef HRESV_TOOLS_MAP_H
#define HRESV_TOOLS_MAP_H

#include <stdio.h>

#include "tools/space.h"

/* Large enough, and more than address space. */
bool map_draws(const struct space_part *p);

/* @from is drawn: the first part behind it that is not, or doesn't lie beside the one before. */
size_t map_area_end(const struct space *s, size_t from);

void map_svg(FILE *to, const struct report *r, const struct space *s);

#endif

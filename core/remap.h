/* SPDX-License-Identifier: MIT */
/* remap.h - one mremap under way, for the files that share the work */
#ifndef HRESV_CORE_REMAP_H
#define HRESV_CORE_REMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/act/pagemap.h"
#include "core/facts/maps.h"

struct remap {
	uintptr_t at, to;
	size_t bytes, new_bytes;	/* on base page lines */
	int flags;
	struct map_facts facts;		/* of the whole old range */
};

/* New memory of the protection of the old: an address, or -errno. */
long remap_map_more(const struct remap *r, uintptr_t at, size_t bytes, int extra);

/* [end, end + more) was mapped behind memory of @last: the same lock and advice, and huge. */
void remap_grown_like(const struct remap *r, uintptr_t end, size_t more, page_word last);

/* Can the kernel itself grow memory of @last? Small pages it can. */
bool remap_grows_by_kernel(page_word last);

/* Memory of the same kind from @end on; -ENOMEM: it is taken. */
long remap_grow_behind(const struct remap *r, uintptr_t end, size_t more);

/* The old place with what it grows by behind it; -ENOMEM: something else lies there. */
long remap_grow_in_place(const struct remap *r);

/* All of it, where nobody says what mappings there are (narrow.h). */
long remap_narrow(struct remap *r);

#endif

/* SPDX-License-Identifier: MIT */
/* self.c - a page with MADV_WIPEONFORK (Linux 4.14; without it no copy is told) */
#include "core/base/self.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "core/base/mem.h"
#include "core/base/sys.h"

static uint32_t *marker;

static uint32_t *make(void)
{
	uint32_t *page = mem_pages(mem_page_bytes()), *none = NULL;

	if (!page)
		return NULL;
	if (sys_madvise((uintptr_t)page, mem_page_bytes(), MADV_WIPEONFORK) != 0) {
		mem_pages_free(page, mem_page_bytes());
		return NULL;
	}
	*page = 1;
	if (__atomic_compare_exchange_n(&marker, &none, page, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return page;
	mem_pages_free(page, mem_page_bytes());
	return none;
}

void self_mark(void)
{
	uint32_t *page = __atomic_load_n(&marker, __ATOMIC_ACQUIRE);

	if (!page)
		page = make();
	if (page)
		__atomic_store_n(page, 1, __ATOMIC_RELEASE);
}

bool self_is_copy(void)
{
	const uint32_t *page = __atomic_load_n(&marker, __ATOMIC_ACQUIRE);

	return page && __atomic_load_n(page, __ATOMIC_ACQUIRE) == 0;
}

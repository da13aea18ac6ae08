/* SPDX-License-Identifier: MIT */
/* alloc.c - placement; the stories are core/ask.h and core/route.h */
#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "api/edge.h"
#include "core/ask.h"
#include "core/base/align.h"
#include "core/base/mem.h"
#include "core/base/sys.h"
#include "core/plan.h"
#include "core/route.h"

static int read_want(const struct hresv_want *want, struct ask *ret)
{
	int err = edge_nodes(want, HRESV_STRICT | HRESV_ON_NODE | HRESV_INTERLEAVE, &ret->nodes);

	if (err || want->bytes == 0)
		return -EINVAL;
	if (want->bytes > PTRDIFF_MAX)
		return -ENOMEM;
	ret->page_bytes = edge_page_bytes(want->page_bytes);
	if (want->page_bytes && !plan_has_size(want->page_bytes))
		return -ENOENT;
	ret->bytes = want->bytes;
	ret->strict = want->flags & HRESV_STRICT;
	return 0;
}

HRESV_API int hresv_alloc(const struct hresv_want *want, void **ret_at, size_t *ret_huge_bytes)
{
	struct ask a;
	size_t huge;
	long at;
	int err;

	if (!want || !ret_at)
		return -EINVAL;
	err = read_want(want, &a);
	if (err)
		return err;
	at = ask_memory(&a, &huge);
	/* Reasons lie below what sys_failed() knows, and no address is negative. */
	if (at < 0)
		return edge_error(at);
	*ret_at = (void *)at;
	if (ret_huge_bytes)
		*ret_huge_bytes = huge;
	return 0;
}

HRESV_API int hresv_free(void *at, size_t bytes)
{
	return (int)route_unmap((uintptr_t)at, bytes);
}

HRESV_API int hresv_resize(void *at, size_t bytes, size_t new_bytes, void **ret_at)
{
	long to;

	if (!ret_at || bytes == 0)
		return -EINVAL;
	to = route_remap((uintptr_t)at, bytes, new_bytes, MREMAP_MAYMOVE, 0);
	if (sys_failed(to))
		return (int)to;
	*ret_at = (void *)to;
	return 0;
}

HRESV_API size_t hresv_huge_bytes(const void *at, size_t bytes)
{
	return ask_huge_bytes((uintptr_t)at, bytes);
}

HRESV_API int hresv_give_back(void *at, size_t bytes)
{
	return (int)route_advise((uintptr_t)at, bytes, MADV_DONTNEED);
}

HRESV_API int hresv_take_again(void *at, size_t bytes, size_t *ret_huge_bytes)
{
	int err;

	if (!is_aligned((uintptr_t)at, mem_page_bytes()) || (uintptr_t)at + bytes < (uintptr_t)at)
		return -EINVAL;
	err = edge_error(ask_again((uintptr_t)at, bytes));
	if (ret_huge_bytes)
		*ret_huge_bytes = ask_huge_bytes((uintptr_t)at, bytes);
	return err;
}

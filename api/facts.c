/* SPDX-License-Identifier: MIT */
/* facts.c - page sizes, pools, budgets */
#include <errno.h>
#include <string.h>

#include "api/edge.h"
#include "core/act/promise.h"
#include "core/base/align.h"
#include "core/facts/pool.h"
#include "core/limit.h"
#include "core/plan.h"

_Static_assert(HRESV_PATH_SHOWN >= LIMIT_PATH_SHOWN, "a path is cut once");

size_t edge_page_bytes(size_t asked)
{
	const struct pagesizes *sizes = plan_sizes();

	if (asked)
		return asked;
	/* Where libhresv is off the kernel's own default is still a fact. */
	return plan_page_bytes(USE_MMAP) ? plan_page_bytes(USE_MMAP)
					 : sizes->n ? sizes->default_bytes : 0;
}

int edge_nodes(const struct hresv_want *want, unsigned allowed, struct node_want *ret_nodes)
{
	const unsigned both = HRESV_ON_NODE | HRESV_INTERLEAVE;

	for (size_t i = 0; i < sizeof(want->spare) / sizeof(want->spare[0]); i++)
		if (want->spare[i])
			return -EINVAL;
	if ((want->flags & ~allowed) || (want->flags & both) == both)
		return -EINVAL;
	*ret_nodes = (struct node_want){ .way = NODE_ANY };
	if (want->flags & HRESV_ON_NODE)
		*ret_nodes = (struct node_want){ .way = NODE_ONE, .node = want->node };
	else if (want->flags & HRESV_INTERLEAVE)
		ret_nodes->way = NODE_ALL;
	else if (want->node)
		return -EINVAL;
	return 0;
}

HRESV_API size_t hresv_page_sizes(size_t *ret_bytes, size_t room)
{
	const struct pagesizes *sizes = plan_sizes();

	for (size_t i = 0; ret_bytes && i < sizes->n && i < room; i++)
		ret_bytes[i] = sizes->bytes[i];
	return sizes->n;
}

HRESV_API size_t hresv_default_page_bytes(void)
{
	return edge_page_bytes(0);
}

HRESV_API int hresv_pool_query(size_t page_bytes, int node, struct hresv_pool *ret_pool)
{
	struct pool pool;
	int err;

	page_bytes = edge_page_bytes(page_bytes);
	if (!ret_pool || node < HRESV_ALL_NODES)
		return -EINVAL;
	if (!page_bytes)
		return -ENOENT;
	err = node == HRESV_ALL_NODES ? pool_read("", page_bytes, &pool)
				      : pool_read_node("", (unsigned)node, page_bytes, &pool);
	if (err)
		return err;
	*ret_pool = (struct hresv_pool){
		.total = pool.total,
		.free = pool.free,
		.reserved = pool.reserved,
		.surplus = pool.surplus,
		.overcommit = pool.overcommit,
		.promised = node == HRESV_ALL_NODES ? promise_pages(page_bytes) : 0,
	};
	return 0;
}

HRESV_API int hresv_budget_query(size_t page_bytes, int node, struct hresv_budget *ret_budget)
{
	struct limit limit;
	int err;

	page_bytes = edge_page_bytes(page_bytes);
	if (!ret_budget || node < HRESV_ALL_NODES || (page_bytes && !is_power_of_two(page_bytes)))
		return -EINVAL;
	err = limit_read(page_bytes, node, &limit);
	if (err)
		return err;
	*ret_budget = (struct hresv_budget){
		.bytes = limit.pages > UINT64_MAX / page_bytes ? UINT64_MAX
							       : limit.pages * page_bytes,
		.binds = edge_reason(limit.binds),
		.page_bytes_log2 = log2_of(page_bytes),
		.limit = limit.limit,
		.used = limit.used,
	};
	memcpy(ret_budget->where, limit.where, sizeof(limit.where));
	return 0;
}

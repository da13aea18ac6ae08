/* SPDX-License-Identifier: MIT */
/*
 * limit.h - what a process could take now, and who binds it: with names and numbers
 *
 * For people who ask (hresv_budget_query, the tool). Requests are planned by plan.h.
 */
#ifndef HRESV_CORE_LIMIT_H
#define HRESV_CORE_LIMIT_H

#include <stddef.h>
#include <stdint.h>

#include "core/decide/request.h"

#define LIMIT_ALL_NODES (-1)
#define LIMIT_PATH_SHOWN 256

struct limit {
	uint64_t pages;		/* UINT64_MAX: nothing known binds */
	enum reason binds;
	uint64_t limit, used;	/* bytes, of a control group, a mount or our own; else 0 */
	char where[LIMIT_PATH_SHOWN];
};

/**
 * limit_read - what pages of @page_bytes could be had now
 * @node: one node, or LIMIT_ALL_NODES: those policy and cpuset allow
 *
 * What can't be read does not bind. Return: 0; -ENOENT: no such pool, or not on that node.
 */
int limit_read(size_t page_bytes, int node, struct limit *ret_limit);

#endif

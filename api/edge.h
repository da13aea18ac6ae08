/* SPDX-License-Identifier: MIT */
/* edge.h - what the files behind hresv.h share: words of the program's into ours, and back */
#ifndef HRESV_API_EDGE_H
#define HRESV_API_EDGE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/act/node.h"
#include "core/decide/request.h"
#include "include/hresv.h"

enum hresv_reason edge_reason(enum reason why);

/* What core calls RESERVE_SHORT(): core's numbers may change, those of hresv.h never. */
int edge_error(long core_error);

/* The size asked for, or the default for 0; 0: there is none. */
size_t edge_page_bytes(size_t asked);

/* Are flags among @allowed and consistent? Then *ret_nodes is what they say of nodes. 0 or -EINVAL. */
int edge_nodes(const struct hresv_want *want, unsigned allowed, struct node_want *ret_nodes);

#endif

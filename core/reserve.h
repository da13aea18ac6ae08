/* SPDX-License-Identifier: MIT */
/*
 * reserve.h - huge pages held for later, all of them or none
 *
 * The story behind hresv_reserve() and its relatives, which say what they promise. A
 * shared reservation is a file (act/hold.h). A private one is memory without access that no other
 * process has, of which parts are opened.
 *
 * Errors are -errno or RESERVE_SHORT(reason). All functions but reserve_find_size() enter the gate.
 */
#ifndef HRESV_CORE_RESERVE_H
#define HRESV_CORE_RESERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/act/node.h"
#include "core/decide/request.h"

/* A shortage as a return value: no errno is as low. */
#define RESERVE_SHORT(why) (-(4096 + (int)(why)))

struct reserve_want {
	size_t bytes;
	size_t page_bytes;
	bool is_private;
	bool ladder;		/* smaller sizes may do */
	struct node_want nodes;
};

struct reservation;

int reserve_all(const struct reserve_want *wants, size_t n, struct reservation **ret);
int reserve_open(int fd, struct reservation **ret);

struct reserve_info {
	size_t bytes, page_bytes, lost_bytes;
	bool is_private;
};

int reserve_info(struct reservation *r, struct reserve_info *ret_info);
int reserve_fd(const struct reservation *r);	/* -EOPNOTSUPP: private */
long reserve_map(struct reservation *r, size_t offset, size_t bytes, int prot);
int reserve_unmap(struct reservation *r, uintptr_t at, size_t bytes);
int reserve_shrink(struct reservation *r, size_t bytes);
void reserve_release(struct reservation *r);

/* Why a populated or reserved page of this size could not be had, now. */
enum reason reserve_blame(size_t page_bytes, size_t pages, const struct node_want *nodes);

/* fork: see lock.h. The child has none of the memory of private reservations. */
void reserve_freeze(void);
void reserve_thaw(void);
void reserve_renew(void);

#endif

/* SPDX-License-Identifier: MIT */
/* reserve.c - reservations; the story is core/reserve.h */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "api/edge.h"
#include "core/base/mem.h"
#include "core/base/sys.h"
#include "core/plan.h"
#include "core/reserve.h"

static struct reservation *ours(struct hresv_reservation *r)
{
	return (struct reservation *)r;
}

static int read_want(const struct hresv_want *want, struct reserve_want *ret)
{
	const unsigned allowed = HRESV_PRIVATE | HRESV_LADDER | HRESV_ON_NODE | HRESV_INTERLEAVE;
	const size_t page_bytes = edge_page_bytes(want->page_bytes);
	int err = edge_nodes(want, allowed, &ret->nodes);

	if (err || want->bytes == 0)
		return -EINVAL;
	if (!plan_has_size(page_bytes))
		return -ENOENT;
	if (want->bytes > PTRDIFF_MAX - page_bytes)
		return -EOVERFLOW;
	ret->bytes = want->bytes;
	ret->page_bytes = page_bytes;
	ret->is_private = want->flags & HRESV_PRIVATE;
	ret->ladder = want->flags & HRESV_LADDER;
	return 0;
}

static int reserve(const struct hresv_want *wants, size_t n, struct reserve_want *mine,
		   struct reservation **made)
{
	for (size_t i = 0; i < n; i++) {
		int err = read_want(&wants[i], &mine[i]);

		if (err)
			return err;
	}
	return edge_error(reserve_all(mine, n, made));
}

HRESV_API int hresv_reserve_all(const struct hresv_want *wants, size_t n,
				struct hresv_reservation **ret_reservations)
{
	const size_t each = sizeof(struct reserve_want) + sizeof(struct reservation *);
	struct reserve_want *mine;
	struct reservation **made;
	int err;

	if (!wants || !ret_reservations || n == 0)
		return -EINVAL;
	if (n > PTRDIFF_MAX / each)
		return -EOVERFLOW;
	mine = mem_pages(n * each);
	if (!mine)
		return -ENOMEM;
	made = (struct reservation **)(void *)(mine + n);
	err = reserve(wants, n, mine, made);
	if (!err)
		memcpy(ret_reservations, made, n * sizeof(*made));
	mem_pages_free(mine, n * each);
	return err;
}

HRESV_API int hresv_reserve(const struct hresv_want *want, struct hresv_reservation **ret_reservation)
{
	struct reserve_want mine;
	struct reservation *made;
	int err;

	if (!want || !ret_reservation)
		return -EINVAL;
	err = reserve(want, 1, &mine, &made);
	if (!err)
		*ret_reservation = (struct hresv_reservation *)made;
	return err;
}

HRESV_API int hresv_reservation_query(struct hresv_reservation *reservation,
				      struct hresv_reservation_info *ret_info)
{
	struct reserve_info info;
	int err;

	if (!reservation || !ret_info)
		return -EINVAL;
	err = reserve_info(ours(reservation), &info);
	if (err)
		return err;
	*ret_info = (struct hresv_reservation_info){
		.bytes = info.bytes,
		.page_bytes = info.page_bytes,
		.lost_bytes = info.lost_bytes,
		.flags = info.is_private ? HRESV_PRIVATE : 0,
	};
	return 0;
}

HRESV_API int hresv_reservation_fd(struct hresv_reservation *reservation)
{
	return reservation ? reserve_fd(ours(reservation)) : -EINVAL;
}

HRESV_API int hresv_reservation_open(int fd, struct hresv_reservation **ret_reservation)
{
	struct reservation *made;
	int err;

	if (!ret_reservation)
		return -EINVAL;
	err = reserve_open(fd, &made);
	if (!err)
		*ret_reservation = (struct hresv_reservation *)made;
	return err;
}

HRESV_API int hresv_map(struct hresv_reservation *reservation, size_t offset, size_t bytes, int prot,
			void **ret_at)
{
	long at;

	if (!reservation || !ret_at || (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC)))
		return -EINVAL;
	at = reserve_map(ours(reservation), offset, bytes, prot ? prot : PROT_READ | PROT_WRITE);
	if (sys_failed(at))
		return edge_error(at);
	*ret_at = (void *)at;
	return 0;
}

HRESV_API int hresv_unmap(struct hresv_reservation *reservation, void *at, size_t bytes)
{
	return reservation ? reserve_unmap(ours(reservation), (uintptr_t)at, bytes) : -EINVAL;
}

HRESV_API int hresv_shrink(struct hresv_reservation *reservation, size_t bytes)
{
	return reservation ? reserve_shrink(ours(reservation), bytes) : -EINVAL;
}

HRESV_API void hresv_release(struct hresv_reservation *reservation)
{
	if (reservation)
		reserve_release(ours(reservation));
}

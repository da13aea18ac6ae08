/* SPDX-License-Identifier: MIT */
/*
 * Sequences of calls of hresv.h, four bytes each: memory holds what was written to it,
 * zero where it was given back, and nothing is held when all has been freed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/act/stats.h"
#include "include/hresv.h"

#define SMALL ((size_t)4096)
#define HUGE_PAGE ((size_t)2 << 20)
#define BLOCKS 3
#define PAGES_MOST ((size_t)1300)
#define HOLDS 2
#define PARTS 2

/* An allocation, and the byte that each of its small pages holds. */
static struct block {
	uint8_t *at;
	size_t pages;
	uint8_t tag[PAGES_MOST];
} blocks[BLOCKS];

/* A reservation of PARTS huge pages at most, and where each is mapped. */
static struct hold {
	struct hresv_reservation *r;
	size_t parts;
	bool own;
	uint8_t *at[PARTS];
	uint8_t tag[PARTS];
} holds[HOLDS];

static void must(bool right)
{
	if (!right)
		abort();
}

/* It worked, or there was too little of something. */
static bool worked(int err)
{
	must(err == 0 || err == -ENOMEM || err == -EBUSY || err == -EMFILE || hresv_reason_of(err));
	return err == 0;
}

static void write_pages(struct block *b, size_t from, size_t n, uint8_t with)
{
	for (size_t i = from; i < from + n; i++) {
		b->at[i * SMALL] = b->at[i * SMALL + 2049] = with;
		b->tag[i] = with;
	}
}

static void check_block(const struct block *b)
{
	for (size_t i = 0; i < b->pages; i++)
		must(b->at[i * SMALL] == b->tag[i] && b->at[i * SMALL + 2049] == b->tag[i] &&
		     b->at[i * SMALL + 7] == 0);
	must(hresv_huge_bytes(b->at, b->pages * SMALL) <= b->pages * SMALL + 2 * HUGE_PAGE);
}

static void make(struct block *b, size_t pages, bool strict)
{
	const struct hresv_want want = { .bytes = pages * SMALL, .flags = strict ? HRESV_STRICT : 0 };
	size_t huge = 0;
	void *at;

	if (!worked(hresv_alloc(&want, &at, &huge)))
		return;
	must(huge <= pages * SMALL && (!strict || pages * SMALL - huge < HUGE_PAGE));
	b->at = at;
	b->pages = pages;
	memset(b->tag, 0, sizeof(b->tag));
}

/* The end of it, or all. */
static void cut(struct block *b, size_t pages)
{
	if (!worked(hresv_free(b->at + (b->pages - pages) * SMALL, pages * SMALL)))
		return;
	b->pages -= pages;
	if (!b->pages)
		b->at = NULL;
}

static void resize(struct block *b, size_t pages)
{
	void *at;

	if (!worked(hresv_resize(b->at, b->pages * SMALL, pages * SMALL, &at)))
		return;
	if (pages > b->pages)
		memset(b->tag + b->pages, 0, pages - b->pages);
	b->at = at;
	b->pages = pages;
}

static void step_block(struct block *b, unsigned op, size_t a, size_t c)
{
	const size_t size = 1 + (a * 257 + c) % (PAGES_MOST - 1);
	size_t from, n, huge = 0;

	if (!b->at) {
		make(b, size, op & 1);
		return;
	}
	from = a * b->pages / 256;
	n = 1 + c * (b->pages - from - 1) / 256;
	switch (op % 6) {
	case 0:
		write_pages(b, from, n, (uint8_t)(a ^ c ^ 0x55));
		break;
	case 1:
		cut(b, n);
		break;
	case 2:
		resize(b, size);
		break;
	case 3:
		if (worked(hresv_give_back(b->at + from * SMALL, n * SMALL)))
			memset(b->tag + from, 0, n);
		break;
	case 4:
		worked(hresv_take_again(b->at + from * SMALL, n * SMALL, &huge));
		must(huge <= n * SMALL);
		break;
	default:
		check_block(b);
	}
}

static void reserve(struct hold *h, unsigned op)
{
	const struct hresv_want want = { .bytes = (1 + (op & 1)) * HUGE_PAGE,
					 .flags = op & 2 ? HRESV_PRIVATE : 0 };

	if (!worked(hresv_reserve(&want, &h->r))) {
		h->r = NULL;
		return;
	}
	*h = (struct hold){ .r = h->r, .parts = 1 + (op & 1), .own = op & 2 };
}

static void map_or_unmap(struct hold *h, size_t i)
{
	void *at;

	if (h->at[i]) {
		must(h->at[i][9] == h->tag[i]);
		if (hresv_unmap(h->r, h->at[i], HUGE_PAGE) != 0)
			return;
		h->at[i] = NULL;
		if (h->own)
			h->tag[i] = 0;
	} else if (worked(hresv_map(h->r, i * HUGE_PAGE, HUGE_PAGE, 0, &at))) {
		h->at[i] = at;
		must(h->at[i][9] == h->tag[i]);
	}
}

static void give_up(struct hold *h)
{
	hresv_release(h->r);
	for (size_t i = 0; i < h->parts; i++)
		if (h->at[i])
			must(h->at[i][9] == h->tag[i] && hresv_free(h->at[i], HUGE_PAGE) == 0);
	memset(h, 0, sizeof(*h));
}

static void step_hold(struct hold *h, unsigned op, size_t a)
{
	struct hresv_reservation_info info;
	size_t i;

	if (!h->r) {
		reserve(h, op);
		return;
	}
	i = a % h->parts;
	switch (op % 5) {
	case 0:
		map_or_unmap(h, i);
		break;
	case 1:
		if (h->at[i])
			h->at[i][9] = h->tag[i] = (uint8_t)a;
		break;
	case 2:
		if (worked(hresv_shrink(h->r, HUGE_PAGE))) {
			must(h->parts == 1 || !h->at[1]);
			h->parts = 1;
		}
		break;
	case 3:
		must(hresv_reservation_query(h->r, &info) == 0 && info.bytes == h->parts * HUGE_PAGE);
		break;
	default:
		give_up(h);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	for (; bytes >= 4; data += 4, bytes -= 4) {
		if (data[0] & 0x80)
			step_hold(&holds[data[0] % HOLDS], data[1], data[2]);
		else
			step_block(&blocks[data[0] % BLOCKS], data[1], data[2], data[3]);
	}
	for (int i = 0; i < BLOCKS; i++)
		if (blocks[i].at) {
			check_block(&blocks[i]);
			must(hresv_free(blocks[i].at, blocks[i].pages * SMALL) == 0);
			blocks[i].at = NULL;
		}
	for (int i = 0; i < HOLDS; i++)
		if (holds[i].r)
			give_up(&holds[i]);
	must(stats_held() == 0);
	return 0;
}

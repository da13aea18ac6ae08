/* SPDX-License-Identifier: MIT */
/* apart_maps.c - asked here first, and by the other thread when there is no descriptor */
#include "core/act/apart_maps.h"

#include <errno.h>

#include "core/act/apart.h"
#include "core/base/mem.h"

struct question {
	int (*ask)(struct question *q);
	uintptr_t lo, hi;
	struct map_facts facts;
	struct blob ends;
	int err;
};

static void answer(void *arg)
{
	struct question *q = arg;

	q->err = q->ask(q);
}

static int ask(struct question *q)
{
	struct question *apart;
	int err = q->ask(q);

	if (err != -EMFILE)
		return err;
	apart = mem_pages(sizeof(*apart));
	if (!apart)
		return -ENOMEM;
	*apart = *q;
	err = apart_run(answer, apart) == 0 ? apart->err : -ENOMEM;
	*q = *apart;
	mem_pages_free(apart, sizeof(*apart));
	return err;
}

static int ask_range(struct question *q)
{
	return maps_read_range("", q->lo, q->hi, &q->facts);
}

static int ask_ends(struct question *q)
{
	return maps_read_ends("", q->lo, q->hi, &q->ends);
}

static int ask_end(struct question *q)
{
	return maps_read_end("", q->lo, &q->hi);
}

int apart_read_range(uintptr_t lo, uintptr_t hi, struct map_facts *ret_facts)
{
	struct question q = { .ask = ask_range, .lo = lo, .hi = hi };
	int err = ask(&q);

	*ret_facts = q.facts;
	return err;
}

int apart_read_ends(uintptr_t lo, uintptr_t hi, struct blob *ret_ends)
{
	struct question q = { .ask = ask_ends, .lo = lo, .hi = hi };
	int err = ask(&q);

	*ret_ends = q.ends;
	return err;
}

int apart_read_end(uintptr_t at, uintptr_t *ret_end)
{
	struct question q = { .ask = ask_end, .lo = at };
	int err = ask(&q);

	*ret_end = q.hi;
	return err;
}

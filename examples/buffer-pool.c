/* SPDX-License-Identifier: MIT */
/*
 * buffer-pool.c - a buffer pool that adapts to the huge pages there are
 *
 *	cc buffer-pool.c $(pkg-config --cflags --libs hresv) && ./a.out [MiB]
 *
 * It asks what can be had, takes that much and not more, and prints what became huge. When
 * somebody else is short, a database would call shrink_to(); when pages are there again, grow_to().
 */
#include <hresv.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

struct pool {
	char *at;
	size_t bytes;
};

static void say(const char *what, const struct pool *p)
{
	printf("%s: %zu MiB, %zu huge\n", what, p->bytes / MIB,
	       hresv_huge_bytes(p->at, p->bytes) / MIB);
}

static void fail(const char *what, int err)
{
	char why[400];

	hresv_explain(err, 0, why, sizeof(why));
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

/* The content moves along; pages are huge as far as they can be had. */
static void grow_to(struct pool *p, size_t bytes)
{
	void *at;
	int err = hresv_resize(p->at, p->bytes, bytes, &at);

	if (err)
		fail("grow", err);
	p->at = at;
	p->bytes = bytes;
	err = hresv_take_again(p->at, p->bytes, NULL);
	if (err && hresv_reason_of(err) == HRESV_HUGE)
		fail("take again", err);
}

/* Keeps the addresses, gives the pages back. */
static void shrink_to(struct pool *p, size_t bytes)
{
	int err = hresv_give_back(p->at + bytes, p->bytes - bytes);

	if (err)
		fail("give back", err);
}

int main(int argc, char **argv)
{
	size_t wanted = (argc > 1 ? strtoul(argv[1], NULL, 10) : 16) * MIB;
	struct hresv_want want = { .bytes = wanted };
	struct pollfd fallback = { .fd = hresv_fallback_fd(), .events = POLLIN };
	struct hresv_budget budget;
	struct pool p = { 0 };
	void *at;
	int err = hresv_budget_query(0, HRESV_ALL_NODES, &budget);

	if (!err)
		printf("could be had: %zu MiB, then %s binds %s\n",
		       (size_t)(budget.bytes > wanted ? wanted : budget.bytes) / MIB,
		       hresv_reason_name(budget.binds), budget.where);
	err = hresv_alloc(&want, &at, NULL);
	if (err)
		fail("alloc", err);
	p = (struct pool){ at, wanted };
	memset(p.at, 1, p.bytes);
	say("start", &p);
	if (poll(&fallback, 1, 0) == 1) {
		uint64_t times;

		if (read(fallback.fd, &times, sizeof(times)) == sizeof(times))
			printf("fell back %zu times\n", (size_t)times);
	}
	shrink_to(&p, p.bytes / 2);
	say("half given back", &p);
	grow_to(&p, p.bytes + p.bytes / 2);
	say("grown", &p);
	if (p.at[0] != 1 || p.at[wanted / 2 - 1] != 1 || p.at[wanted / 2] != 0)
		return 1;
	return hresv_free(p.at, p.bytes) ? 1 : 0;
}

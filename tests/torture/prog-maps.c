/* SPDX-License-Identifier: MIT */
/*
 * prog-maps.c - prog-maps SEED STEPS THREADS: mappings of every kind, cut, moved, protected,
 *               given up, and each of their small pages known by heart
 *
 * Every thread keeps ranges of its own and, for each 4 KiB of them, the number it wrote
 * there (0: zeros). It looks before and after each call, and says a sum that depends
 * on the seed alone: not on addresses, page sizes, or what became of the machine.
 * Any call that fails is one that would not have failed on small pages: exit 1.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SMALL 4096u
#define RANGES 6
#define PAGES_MOST 3072		/* 12 MiB */

struct range {
	char *at;
	unsigned pages;
	int shared;
	int mixed;		/* more than one mapping to the kernel: mremap refuses it */
	uint32_t wrote[2 * PAGES_MOST];
};

struct worker {
	pthread_t thread;
	uint64_t draw, sum;
	long steps;
	struct range ranges[RANGES];
};

static _Noreturn void wrong(const char *what, const void *at)
{
	fprintf(stderr, "prog-maps: %s at %p: %s\n", what, at, strerror(errno));
	_exit(1);
}

static unsigned draw(struct worker *w, unsigned below)
{
	w->draw ^= w->draw << 13;
	w->draw ^= w->draw >> 7;
	w->draw ^= w->draw << 17;
	return (unsigned)(w->draw >> 20) % below;
}

/* The number stands at three places of its page, so that a torn copy shows. */
static void look(struct worker *w, const struct range *r, unsigned page)
{
	const uint32_t *p = (const uint32_t *)(r->at + (size_t)page * SMALL);
	const uint32_t is = r->wrote[page];

	if (p[0] != is || p[500] != is || p[1023] != is) {
		errno = 0;
		wrong("wrong content", p);
	}
	w->sum = w->sum * 31 + is;
}

static void fill(struct worker *w, struct range *r, unsigned from, unsigned pages)
{
	for (unsigned i = from; i < from + pages; i++) {
		uint32_t *p = (uint32_t *)(r->at + (size_t)i * SMALL);

		r->wrote[i] = 1 + draw(w, 1 << 30);
		p[0] = p[500] = p[1023] = r->wrote[i];
	}
}

static void look_about(struct worker *w, const struct range *r)
{
	for (unsigned i = 0; i < 40 && i < r->pages; i++)
		look(w, r, draw(w, r->pages));
}

static void map(struct worker *w, struct range *r)
{
	r->pages = 1 + draw(w, PAGES_MOST);
	r->shared = draw(w, 4) == 0;
	r->at = mmap(NULL, (size_t)r->pages * SMALL, PROT_READ | PROT_WRITE,
		     MAP_ANONYMOUS | (r->shared ? MAP_SHARED : MAP_PRIVATE), -1, 0);
	if (r->at == MAP_FAILED)
		wrong("mmap", NULL);
	r->mixed = 0;
	memset(r->wrote, 0, sizeof(r->wrote));
	fill(w, r, 0, draw(w, r->pages) + 1);
}

static void unmap(struct range *r)
{
	if (munmap(r->at, (size_t)r->pages * SMALL) != 0)
		wrong("munmap", r->at);
	r->pages = 0;
}

/* From either end, or the middle: the part behind the hole goes too. */
static void trim(struct worker *w, struct range *r)
{
	unsigned cut = 1 + draw(w, r->pages);

	if (cut == r->pages) {
		unmap(r);
	} else if (draw(w, 2)) {
		if (munmap(r->at, (size_t)cut * SMALL) != 0)
			wrong("munmap front", r->at);
		r->at += (size_t)cut * SMALL;
		r->pages -= cut;
		memmove(r->wrote, r->wrote + cut, r->pages * sizeof(r->wrote[0]));
	} else {
		r->pages -= cut;
		if (munmap(r->at + (size_t)r->pages * SMALL, (size_t)cut * SMALL) != 0)
			wrong("munmap back", r->at);
	}
}

static void protect(struct worker *w, struct range *r)
{
	unsigned from = draw(w, r->pages), pages = 1 + draw(w, r->pages - from);
	char *at = r->at + (size_t)from * SMALL;

	if (mprotect(at, (size_t)pages * SMALL, PROT_READ) != 0)
		wrong("mprotect", at);
	look(w, r, from);
	if (mprotect(at, (size_t)pages * SMALL, PROT_READ | PROT_WRITE) != 0)
		wrong("mprotect back", at);
	fill(w, r, from, 1);
}

static void give_up(struct worker *w, struct range *r)
{
	unsigned from = draw(w, r->pages), pages = 1 + draw(w, r->pages - from);
	int advice = r->shared ? MADV_REMOVE : MADV_DONTNEED;

	if (madvise(r->at + (size_t)from * SMALL, (size_t)pages * SMALL, advice) != 0)
		wrong("madvise", r->at + (size_t)from * SMALL);
	memset(r->wrote + from, 0, pages * sizeof(r->wrote[0]));
	look(w, r, from);
	look(w, r, from + pages - 1);
}

/* Shared memory of ours does not grow (ARCHITECTURE 5): only private does here. */
static void resize(struct worker *w, struct range *r)
{
	unsigned pages = 1 + draw(w, r->shared ? r->pages : PAGES_MOST);
	void *at;

	if (r->mixed)
		return;
	at = mremap(r->at, (size_t)r->pages * SMALL, (size_t)pages * SMALL, MREMAP_MAYMOVE);

	if (at == MAP_FAILED)
		wrong("mremap", r->at);
	r->at = at;
	if (pages > r->pages)
		memset(r->wrote + r->pages, 0, (pages - r->pages) * sizeof(r->wrote[0]));
	r->pages = pages;
}

static void replace(struct worker *w, struct range *r)
{
	unsigned from = draw(w, r->pages), pages = 1 + draw(w, r->pages - from);
	char *at = r->at + (size_t)from * SMALL;

	if (r->shared)
		return;
	r->mixed = 1;
	if (mmap(at, (size_t)pages * SMALL, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at)
		wrong("mmap fixed", at);
	memset(r->wrote + from, 0, pages * sizeof(r->wrote[0]));
	fill(w, r, from, 1 + draw(w, pages));
}

static void step(struct worker *w, struct range *r)
{
	if (!r->pages) {
		map(w, r);
		return;
	}
	look_about(w, r);
	switch (draw(w, 8)) {
	case 0:
		unmap(r);
		break;
	case 1:
		trim(w, r);
		break;
	case 2:
		protect(w, r);
		break;
	case 3:
		give_up(w, r);
		break;
	case 4:
		resize(w, r);
		break;
	case 5:
		replace(w, r);
		break;
	default:
		fill(w, r, draw(w, r->pages), 1);
		break;
	}
	if (r->pages)
		look_about(w, r);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (long i = 0; i < w->steps; i++)
		step(w, &w->ranges[draw(w, RANGES)]);
	for (int i = 0; i < RANGES; i++)
		if (w->ranges[i].pages)
			unmap(&w->ranges[i]);
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long seed = argc > 1 ? strtoul(argv[1], NULL, 0) : 1;
	long steps = argc > 2 ? strtol(argv[2], NULL, 0) : 1000;
	int threads = argc > 3 ? atoi(argv[3]) : 2;
	struct worker *workers = calloc((size_t)threads, sizeof(*workers));
	uint64_t sum = 0;

	for (int i = 0; i < threads; i++) {
		workers[i].draw = seed * 1000003 + (unsigned)i * 7919 + 88172645463325252u;
		workers[i].steps = steps;
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
	for (int i = 0; i < threads; i++) {
		pthread_join(workers[i].thread, NULL);
		sum = sum * 31 + workers[i].sum;
	}
	printf("sum %llx\n", (unsigned long long)sum);
	return 0;
}

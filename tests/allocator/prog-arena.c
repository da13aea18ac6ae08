/* SPDX-License-Identifier: MIT */
// link: -ldl
/*
 * prog-arena.c - a program that knows jemalloc and manages its arenas: prog-arena CASE
 *
 * What it freed by plain free() must not come back once it threw the arena away.
 * Says nothing and exits with 77 where the malloc in charge is no jemalloc.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

#include "tests/allocator/prog.h"

#define BLOCKS 3000
#define IN_ARENA(a) ((int)(((a) + 1) << 20))
#define NO_CACHE ((int)(1 << 8))

static int (*ctl)(const char *, void *, size_t *, void *, size_t);
static void *(*allocx)(size_t, int);

static unsigned char *block[BLOCKS];

static size_t size_of(int i)
{
	return 8 + (size_t)i % 1500;
}

static void find(void)
{
	*(void **)(void *)&ctl = dlsym(RTLD_DEFAULT, "mallctl");
	*(void **)(void *)&allocx = dlsym(RTLD_DEFAULT, "mallocx");
	if (!ctl || !allocx)
		_exit(77);
	free(malloc(1 << 17));
}

static unsigned make_arena(void)
{
	unsigned arena = 0;
	size_t bytes = sizeof(arena);

	CHECK(ctl("arenas.create", &arena, &bytes, NULL, 0) == 0);
	return arena;
}

static void throw_away(unsigned arena)
{
	char name[64];

	CHECK(ctl("thread.tcache.flush", NULL, NULL, NULL, 0) == 0);
	snprintf(name, sizeof(name), "arena.%u.destroy", arena);
	CHECK(ctl(name, NULL, NULL, NULL, 0) == 0);
}

/* Blocks of now are each other's neighbours at most, and hold what was put there. */
static void expect_whole(void)
{
	for (int i = 0; i < BLOCKS; i++) {
		block[i] = malloc(size_of(i));
		CHECK(block[i]);
		memset(block[i], i % 251, size_of(i));
	}
	for (int i = 0; i < BLOCKS; i++) {
		CHECK(is_filled(block[i], i % 251, size_of(i)));
		free(block[i]);
	}
}

static void bound_thread(void)
{
	unsigned arena = make_arena(), before = 0;
	size_t bytes = sizeof(before);

	CHECK(ctl("thread.arena", &before, &bytes, &arena, sizeof(arena)) == 0);
	expect_whole();
	CHECK(ctl("thread.arena", NULL, NULL, &before, sizeof(before)) == 0);
	throw_away(arena);
	expect_whole();
}

static void explicit_blocks(void)
{
	unsigned arena = make_arena();

	expect_whole();
	for (int i = 0; i < BLOCKS; i++)
		CHECK((block[i] = allocx(size_of(i), IN_ARENA(arena) | NO_CACHE)));
	for (int i = 0; i < BLOCKS; i++)
		free(block[i]);
	throw_away(arena);
	expect_whole();
}

/* Its address is looked for in the profile. */
__attribute__((noinline, noclone)) static void *allocating(size_t bytes)
{
	void *at = malloc(bytes);

	CHECK(at);
	return memset(at, 1, bytes);
}

/* @ and the return addresses of who allocated, innermost first. */
static int names(const char *line, uintptr_t from, uintptr_t to)
{
	char *end;

	while (*line && (*line == '@' || *line == ' ')) {
		uintptr_t at = strtoul(line + 1, &end, 16);

		if (at >= from && at < to)
			return 1;
		line = end == line + 1 ? line + 1 : end;
	}
	return 0;
}

/* With MALLOC_CONF=prof:true,lg_prof_sample:0. */
static void profile(void)
{
	uintptr_t from = (uintptr_t)allocating;
	char file[] = "/tmp/hresv-profile-XXXXXX", line[4096];
	const char *path = file;
	void *block = allocating(3 << 20);
	int found = 0, fd = mkstemp(file);
	FILE *f;

	CHECK(fd >= 0);
	CHECK(ctl("prof.dump", NULL, NULL, &path, sizeof(path)) == 0);
	f = fdopen(fd, "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f))
		found = found || (line[0] == '@' && names(line, from, from + 200));
	fclose(f);
	unlink(file);
	free(block);
	CHECK(found);
}

static size_t records(void)
{
	uint64_t epoch = 1;
	size_t bytes = 0, n = sizeof(bytes);

	CHECK(ctl("epoch", NULL, NULL, &epoch, sizeof(epoch)) == 0);
	CHECK(ctl("stats.metadata", &bytes, &n, NULL, 0) == 0);
	return bytes;
}

/* The blocks are a chain, and stay. */
static void fill(size_t left)
{
	static void **chain;
	uint64_t rng = 88172645463325252u;

	while (left > 512) {
		size_t bytes = 16 + next_random(&rng) % 497;
		void **at = malloc(bytes);

		CHECK(at);
		at[0] = chain;
		chain = at;
		left -= bytes;
	}
}

/* What they take is copied with each fork. The first blocks bring what is there once. */
static void records_of_small_blocks(void)
{
	size_t before;

	fill((size_t)16 << 20);
	before = records();
	fill((size_t)64 << 20);
	CHECK(records() - before < ((size_t)64 << 20) / 100);
}

int main(int argc, char **argv)
{
	static const struct prog_case cases[] = {
		{ "bound_thread", bound_thread },
		{ "explicit_blocks", explicit_blocks },
		{ "profile", profile },
		{ "records_of_small_blocks", records_of_small_blocks },
	};

	find();
	return run_case(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}

/* SPDX-License-Identifier: MIT */
/*
 * own-jemalloc.c - a program that carries its own jemalloc, with one arena on huge pages
 *
 *	cc own-jemalloc.c -ljemalloc $(pkg-config --cflags --libs hresv) && ./a.out
 */
#include <hresv.h>
#include <hresv_jemalloc.h>
#include <stdio.h>
#include <string.h>

#define MIB ((size_t)1 << 20)

int main(void)
{
	extent_hooks_t *hooks = hresv_jemalloc_hooks();
	unsigned arena;
	size_t bytes = sizeof(arena), huge;
	char *at;

	if (mallctl("arenas.create", &arena, &bytes, &hooks, sizeof(hooks)) != 0)
		return 1;
	at = mallocx(24 * MIB, MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE);
	if (!at)
		return 1;
	memset(at, 1, 24 * MIB);
	huge = hresv_huge_bytes(at, 24 * MIB);
	printf("24 MiB, %zu huge\n", huge / MIB);
	dallocx(at, MALLOCX_TCACHE_NONE);
	return 0;
}

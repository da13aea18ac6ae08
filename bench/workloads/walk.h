/* SPDX-License-Identifier: MIT */
/*
 * walk.h - memory and places at random for the walk-* workloads: BYTES [malloc|mmap|shm]
 */
#ifndef HRESV_BENCH_WALK_H
#define HRESV_BENCH_WALK_H

#include <sys/ipc.h>
#include <sys/shm.h>

#include "bench/workloads/work.h"

static inline char *walk_memory(int argc, char **argv, size_t bytes)
{
	const char *way = argc > 2 ? argv[2] : "malloc";
	int id;
	char *at;

	if (strcmp(way, "malloc") == 0)
		return obtain(bytes);
	if (strcmp(way, "mmap") == 0)
		return must(mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	id = shmget(IPC_PRIVATE, bytes, IPC_CREAT | 0600);
	at = id < 0 ? NULL : must(shmat(id, NULL, 0));
	shmctl(id, IPC_RMID, NULL);
	return must(at);
}

/* The i-th of 2^bits places, each once: a bijection that no prefetcher follows. */
static inline uint64_t place_of(uint64_t i, unsigned bits)
{
	const uint64_t mask = ((uint64_t)1 << bits) - 1;

	for (int round = 0; round < 3; round++) {
		i = (i * 0x9e3779b97f4a7c15u) & mask;
		i ^= i >> (bits / 2 + 1);
	}
	return i;
}

static inline unsigned bits_of(uint64_t n)
{
	return 63 - (unsigned)__builtin_clzll(n);
}

#endif

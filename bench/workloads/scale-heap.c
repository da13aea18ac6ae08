/* SPDX-License-Identifier: MIT */
/*
 * scale-heap.c - a heap of blocks of 16 to 2000 bytes: time a block as it grows, half of it
 * freed and made again when it is there. Beside the pool for 12 GiB there is no room for as
 * much in small pages, so that is ours alone: scale-heap BYTES
 */
// section: scale
// cases: 64m 256m 1g 4g 12g
// brief: 64m 256m 1g 4g 12g
// contenders: glibc glibc-thp jemalloc-thp mimalloc-huge tcmalloc-memfs ours 12g:ours
// few: glibc glibc-thp mimalloc-huge ours 12g:ours
// pool: 64m:50 256m:160 1g:600 4g:2300 12g:6700
// memory: 64m:150 256m:400 1g:1300 4g:5000 12g:500
// show: again_ns
// plot: again_ns bytes
// timeout: 180
#include "bench/workloads/work.h"

int main(int argc, char **argv)
{
	const size_t blocks = number(argc, argv, 1, GIB) / 1008;
	char **block = must(malloc(blocks * sizeof(*block)));
	uint64_t rng = seed_of(0), sum = 0;
	double begin = now_us();

	for (size_t i = 0; i < blocks; i++) {
		block[i] = must(malloc(16 + next_random(&rng) % 1985));
		block[i][0] = (char)i;
	}
	metric("make_ns", (now_us() - begin) * 1e3 / (double)blocks);
	begin = now_us();
	for (size_t i = 0; i < blocks; i += 2) {
		CHECK(block[i][0] == (char)i);
		free(block[i]);
	}
	for (size_t i = 0; i < blocks; i += 2) {
		block[i] = must(malloc(16 + next_random(&rng) % 1985));
		block[i][0] = (char)i;
	}
	metric("again_ns", (now_us() - begin) * 1e3 / (double)blocks);
	for (size_t i = 0; i < blocks; i += 1000)
		sum += (unsigned char)block[i][0];
	begin = now_us();
	for (size_t i = 0; i < blocks; i++)
		free(block[i]);
	metric("free_ns", (now_us() - begin) * 1e3 / (double)blocks);
	result(sum);
	return 0;
}

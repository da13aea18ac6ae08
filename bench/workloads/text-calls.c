/* SPDX-License-Identifier: MIT */
/*
 * text-calls.c - functions of 4 KiB each called in a random order, so many of 8192 (32 MiB):
 * what the instruction TLB makes of it, and huge text of that: text-calls FUNCTIONS
 */
// link: -Wl,-z,max-page-size=0x200000 -Wl,-z,common-page-size=0x200000
// section: calls
// cases: 64 512 2048 8192
// brief: 8192
// contenders: glibc ours-text
// pool: 60
// memory: 100
// show: call_ns
// plot: call_ns functions
#include "bench/workloads/work.h"

#define FUNCTIONS 8192
#define CALLS 5000000u

/* Each on a page of its own, its entry at another place in it, so that caches don't clash. */
__asm__(".section .text.spread, \"ax\", %progbits\n"
	".balign 4096\n"
	"spread:\n"
	".set i, 0\n"
	".rept 8192\n"
	".balign 4096\n"
	".skip 64 + (i % 61) * 64\n"
#if defined(__x86_64__)
	"lea 1(%rdi), %rax\n"
	"ret\n"
#else
	"add x0, x0, #1\n"
	"ret\n"
#endif
	".set i, i + 1\n"
	".endr\n"
	".previous\n");
extern char spread[];

int main(int argc, char **argv)
{
	const unsigned used = (unsigned)number(argc, argv, 1, FUNCTIONS);
	uint64_t x = 88172645463325252u, sum = 0;
	double from = 0;

	if (used == 0 || used > FUNCTIONS)
		return 2;
	for (unsigned round = 0; round < 2; round++) {
		from = now_us();
		for (unsigned n = 0; n < CALLS; n++) {
			unsigned i = (unsigned)(x >> 33) % used;

			x = x * 6364136223846793005u + 1442695040888963407u;
			sum = ((uint64_t (*)(uint64_t))(spread + i * 4096ul + 64 + i % 61 * 64))(sum);
		}
	}
	metric("call_ns", (now_us() - from) * 1e3 / CALLS);
	result(sum);
	return sum != 2ull * CALLS;
}

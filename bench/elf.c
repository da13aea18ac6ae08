/* SPDX-License-Identifier: MIT */
/*
 * elf.c - calls spread over 32 MiB of text: what the instruction TLB makes of it
 *
 * 8192 functions of 4 KiB each, called in a random order, that is the same always.
 * Prints nanoseconds a call. Real programs are run by run-elf beside it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

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

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int main(int argc, char **argv)
{
	const unsigned used = argc > 1 ? (unsigned)atoi(argv[1]) : FUNCTIONS;
	uint64_t x = 88172645463325252u, sum = 0, from;

	if (used == 0 || used > FUNCTIONS)
		return 2;
	for (unsigned round = 0; round < 2; round++) {
		from = now_ns();
		for (unsigned n = 0; n < CALLS; n++) {
			unsigned i = (unsigned)(x >> 33) % used;

			x = x * 6364136223846793005u + 1442695040888963407u;
			sum = ((uint64_t (*)(uint64_t))(spread + i * 4096ul + 64 + i % 61 * 64))(sum);
		}
	}
	printf("%.2f\n", (double)(now_ns() - from) / CALLS);
	return sum != 2ull * CALLS;
}

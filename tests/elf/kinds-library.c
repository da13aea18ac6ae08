/* SPDX-License-Identifier: MIT */
/* kinds-library.c - the shared library that kinds.c leans on, with segments of MiBs too */
#include "kinds.h"

#define MIB (1 << 20)

int library_data[LIBRARY_WORDS] = { 1, 2, 3, [LIBRARY_WORDS - 1] = 77 };
int library_zero[LIBRARY_WORDS];
const int library_constant[LIBRARY_WORDS] = { 5, 6, 7, [LIBRARY_WORDS - 1] = 9 };
__thread int library_tls = 41;

static char bss[5 * MIB];

/* Text of several huge pages, most of which never runs. */
__asm__(".section .text.filler, \"ax\", %progbits\n.skip 5 << 20, 0\n.previous");

int library_sum(int seed)
{
	int sum = seed + library_tls;

	for (int i = 0; i < LIBRARY_WORDS; i++)
		sum = sum * 31 + library_data[i] + library_zero[i] + library_constant[i];
	bss[seed & 0xfffff]++;
	return sum + bss[0];
}

void *library_text(void)
{
	return (void *)library_sum;
}

void *library_bss(void)
{
	return bss + sizeof(bss) / 2;
}

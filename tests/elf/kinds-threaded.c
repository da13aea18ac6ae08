/* SPDX-License-Identifier: MIT */
/* kinds-threaded.c - a program whose data is written by a thread before anything starts */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PLACES (4096 * 64)

int written_early[PLACES] __attribute__((aligned(2 << 20))) = { [1] = 7 };
static char bss[4 << 20];
extern uint64_t written_rounds;
void written_end(void);

__asm__(".section .text.filler, \"ax\", %progbits\n.skip 3 << 20, 0\n.previous");

static size_t huge_kb(void)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	char line[4096];
	size_t sum = 0, kb;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Private_Hugetlb: %zu", &kb) == 1)
			sum += kb;
	if (f)
		fclose(f);
	return sum;
}

int main(void)
{
	uint64_t before = __atomic_load_n(&written_rounds, __ATOMIC_ACQUIRE);

	memset(bss, 1, sizeof(bss));
	while (__atomic_load_n(&written_rounds, __ATOMIC_ACQUIRE) < before + 3)
		usleep(100);
	written_end();
	for (int i = 0; i < PLACES; i += 64)
		if (written_early[i] != written_early[0])
			return printf("uneven: %d\n", i);
	printf("even, seven %d\n", written_early[1]);
	fprintf(stderr, "huge %zu kB\n", huge_kb());
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* fuzz-elf.c - `hresv elf` on a file of any content: its headers, segments, symbols */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/elf_notes.h"
#include "tools/elf_read.h"

/* Looked at, so that what is read of it is read by somebody. */
static size_t weigh(const struct elf_facts *f)
{
	struct elf_note notes[16];
	size_t sum = elf_notes(f, notes, 16) + (f->allocator != NULL) + elf_is_reached(f);

	for (size_t i = 0; i < f->segments_n; i++)
		sum += f->segments[i].now.most + f->segments[i].forced.most +
		       f->segments[i].relinked;
	for (size_t i = 0; i < f->needed_n; i++)
		sum += (unsigned char)f->needed[i][0];
	return sum + (size_t)(elf_machine_name(f)[0] + (f->build_id ? f->build_id[0] : 0) +
			      (f->interpreter ? f->interpreter[0] : 0));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t bytes);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t bytes)
{
	volatile size_t sum;
	struct elf_facts facts;
	const char *what;
	char path[64];
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (elf_read(path, 2 << 20, &facts, &what) == 0) {
		sum = weigh(&facts);
		elf_free(&facts);
	} else if (!what || !*what) {
		abort();	/* a failure without a word */
	}
	(void)sum;
	close(fd);
	return 0;
}

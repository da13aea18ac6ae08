/* SPDX-License-Identifier: MIT */
/* An ELF file of any bytes: hresv check reads within it, and ends. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/binary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static int fd = -1;
	struct binary b;

	if (fd < 0)
		fd = memfd_create("binary", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data, bytes, 0) != (ssize_t)bytes)
		abort();
	if (binary_read(fd, &b) == 0 && b.build_id_bytes > sizeof(b.build_id))
		abort();
	binary_free(&b);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * binary.h - what an ELF file is, as far as a preload is concerned
 *
 * A file is damaged, or made to hurt who reads it, until it has shown the opposite:
 * every offset is checked against the file's length, and nothing is mapped.
 */
#ifndef HRESV_TOOLS_BINARY_H
#define HRESV_TOOLS_BINARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct binary {
	bool native;		/* of this tool's class and byte order; else nothing below machine */
	uint16_t machine;	/* EM_* */
	char *interpreter;	/* the loader it asks for; NULL: it is static */
	const char *allocator;	/* a malloc of its own: "jemalloc", "malloc"; NULL: none, or ours */
	bool ours;		/* that malloc is libhresv-malloc's */
	bool go;
	uint64_t text_bytes, data_bytes;	/* of what it is loaded as: read-only, writable */
	unsigned char build_id[64];
	size_t build_id_bytes;
};

/*
 * 0; -ENOEXEC: no ELF file, or a damaged one; -errno of reading it; -ENOMEM.
 * binary_free() is right after all of them.
 */
int binary_read(int fd, struct binary *ret_binary);
void binary_free(struct binary *b);

/* EM_* that this tool was built for. */
uint16_t binary_own_machine(void);
/* "x86-64", "aarch64", or a number. */
const char *binary_machine_name(uint16_t machine);

#endif

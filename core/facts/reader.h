/* SPDX-License-Identifier: MIT */
/*
 * reader.h - many small files under one root, with two buffers used again
 *
 * A pool has five counters and a control group four files a level; a buffer for
 * each would cost more system calls than reading them. A reader holds a base
 * path, to which the names read are added, and the content read last.
 */
#ifndef HRESV_CORE_FACTS_READER_H
#define HRESV_CORE_FACTS_READER_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/mem.h"
#include "core/base/text.h"

struct reader {
	struct blob base;	/* the root, and the directory under it */
	size_t root_bytes;	/* of base */
	struct blob content;
};

/* The base is @root (NULL: ""). 0 or -ENOMEM; reader_close is right after both. */
int reader_open(struct reader *r, const char *root);
void reader_close(struct reader *r);

/* The base becomes the root and @directory. 0 or -ENOMEM. */
int reader_base(struct reader *r, const char *directory);

/*
 * Reads base + @name + @suffix whole. *ret_content is valid until the next call.
 * 0; -errno of open(2) or read(2); -ENOMEM.
 */
int reader_read(struct reader *r, const char *name, const char *suffix,
		struct span *ret_content);

/* The same for a file that is one decimal number; -EBADMSG, -ERANGE otherwise. */
int reader_u64(struct reader *r, const char *name, const char *suffix, uint64_t *ret_value);

/* 0 when base + @name exists, else -errno. */
int reader_has(struct reader *r, const char *name);

/* The text of the symbolic link base + @name, in the content. */
int reader_link(struct reader *r, const char *name, struct span *ret_text);

#endif

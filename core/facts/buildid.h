/* SPDX-License-Identifier: MIT */
/* buildid.h - the build-id of a program: a note that its linker left */
#ifndef HRESV_CORE_FACTS_BUILDID_H
#define HRESV_CORE_FACTS_BUILDID_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/text.h"

/* Looks for NT_GNU_BUILD_ID among ELF notes, aligned to @align: 4 or 8. */
bool buildid_in_notes(struct span notes, size_t align, struct span *ret_id);

/*
 * That of this process' executable, from its own memory; empty when it has none.
 * No system call.
 */
struct span buildid_self(void);

#endif

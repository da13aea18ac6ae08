/* SPDX-License-Identifier: MIT */
/* image_file.h - which file, and where in it, data came from that is huge now */
#ifndef HRESV_CORE_IMAGE_FILE_H
#define HRESV_CORE_IMAGE_FILE_H

#include <stdint.h>

/* Remembers the files mapped in [lo, hi), before anything there is replaced. */
void image_file_note(uintptr_t lo, uintptr_t hi);

#endif

/* A data set while it is put together: readers (data_yaml.c, box_csv.c) collect entries, dataset_scan.c looks at the pictures and
 * label files, data_split.c makes missing splits, dataset.c keeps the result.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DATA_DATASET_PRIVATE_H
#define GN_DATA_DATASET_PRIVATE_H

#include "base/memory.h"
#include "data/data_archive.h"
#include "data/dataset.h"

#define GN_PROBLEMS_MAX    10000
#define GN_DATA_PATH_BYTES 4096

/* A picture that a reader has found.  Strings and arrays live in the data set's arena. */
typedef struct gn_data_entry {
    const char *path;
    gn_split split;
    bool has_boxes;     /* boxes are known already, in `pixel`; else they come from the label file */
    bool clips;         /* boxes that reach out of the picture are cut off, not refused */
    const char *source; /* file and line to name in messages about it; NULL: the picture itself */
    int64_t line;
    double (*pixel)[4]; /* [n_boxes] x1 y1 x2 y2, of what the reader has found */
    double ref_width,
        ref_height; /* what `pixel` counts: the size that the set gives, 1 x 1 for fractions; 0: the picture's */
    gn_box *box;    /* [n_boxes] fractions; filled by the scan */
    int32_t *cls;
    int64_t *box_line; /* [n_boxes] lines of `source` */
    uint8_t *flags;    /* [n_boxes] as in gn_sample, like the next two; each may be NULL */
    int64_t *box_id;
    double *area;
    int n_boxes;
    int64_t id;    /* the format's own number; -1: none */
    int32_t label; /* class of the whole picture; -1: none */
    gn_data_source *picture_source;
    int64_t item;
    /* filled by the scan */
    int width, height;
    uint64_t fingerprint;
    char *problem; /* owned: why the picture cannot be read; NULL: it can */
    bool is_usable;
} gn_data_entry;

typedef struct gn_data_split {
    gn_sample *sample;
    int64_t n;
} gn_data_split;

/* Pictures that are no files of their own: members of an archive, or records of a CIFAR file. */
struct gn_data_source {
    gn_archive *archive; /* borrowed; NULL: records */
    const char *file;    /* of records: its name */
    int fd;              /* of records; -1: they are in memory */
    char *bytes;         /* owned */
    int label_bytes;     /* before the pixels of a record */
    int64_t n_records;
    gn_data_source *next; /* of the set's list */
};

struct gn_dataset {
    gn_arena *arena;
    gn_archive *archive;            /* owned; NULL: files */
    gn_data_source *archive_source; /* its pictures; NULL: files */
    gn_data_source *sources;        /* all */
    const char *path;
    const char *format;
    gn_dataset_options options;
    const char **class_name;        /* [n_classes] */
    int64_t *category_id;           /* [n_classes]; NULL: the format has none */
    int n_classes;                  /* 0 while the labels alone tell (a folder without a list of names) */
    bool has_split[GN_SPLIT_COUNT]; /* named by the set itself */
    bool split_made;
    bool has_labels;
    gn_data_entry *entry; /* until the set is finished */
    size_t n_entries, entries_capacity;
    gn_data_split split[GN_SPLIT_COUNT];
    gn_problem *problem;
    size_t n_problems, problems_capacity;
    gn_problem_counts counts;
    uint64_t hash;
};

/* Notes a problem; the message is copied.  Beyond GN_PROBLEMS_MAX nothing is kept. */
gn_status gn_dataset_note(gn_dataset *d, const char *file, int64_t line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Appends an entry with a copy of `path`. */
gn_status gn_dataset_add_entry(gn_dataset *d, const char *path, gn_split split, gn_data_entry **entry_out);

/* Files of the set: of the disk, or, for a set in an archive, of the archive alone ("set.zip/train/a.jpg" is its member train/a.jpg;
 * nothing outside it is ever there). */
bool gn_data_exists(const gn_dataset *d, const char *path);
bool gn_data_is_dir(const gn_dataset *d, const char *path);
gn_status gn_data_list(const gn_dataset *d, const char *path, const char ***names_out, size_t *n_out, gn_error *err);
/* The same, where a folder that cannot be listed counts as an empty one.  GN_ENOMEM. */
gn_status gn_data_names(const gn_dataset *d, const char *path, const char ***names_out, size_t *n_out);
gn_status gn_data_read(const gn_dataset *d, const char *path, size_t max_bytes, char **data_out, size_t *bytes_out,
                       gn_error *err);
/* Adds a source of records to the set; bytes: owned by it from then on, or NULL to read the open file `fd`. */
gn_status gn_data_add_records(gn_dataset *d, const char *file, int fd, char *bytes, int label_bytes, int64_t n_records,
                              gn_data_source **source_out);
/* The source of the set's archive, once it is open. */
gn_status gn_data_add_archive(gn_dataset *d);
/* Size of a picture, and the picture itself; either may be NULL. */
gn_status gn_data_look(const gn_sample *sample, const gn_decode_options *opt, gn_image_info *info_out,
                       gn_image *image_out, gn_error *err);
void gn_data_close_sources(gn_dataset *d);
/* Every picture under a folder, in bytewise order of the names, with the class `label` (-1: none). */
gn_status gn_data_add_folder(gn_dataset *d, const char *folder, gn_split split, int32_t label, gn_error *err);

/* Readers: fill entries, class names and has_split. */
gn_status gn_data_yaml_read(gn_dataset *d, const char *yaml_path, gn_error *err);
gn_status gn_data_folder_read(gn_dataset *d, const char *folder, gn_error *err);
gn_status gn_box_csv_read(gn_dataset *d, const char *csv_path, gn_error *err);
/* Folders per class, and CIFAR's binary files; is, is_out: whether the folder looks like that.  GN_ENOMEM. */
gn_status gn_class_folder_is(gn_dataset *d, const char *folder, bool *is_out);
gn_status gn_class_folder_read(gn_dataset *d, const char *folder, gn_error *err);
/* The readers below: is_out tells whether the path looks like that.  GN_ENOMEM.
 * COCO's JSON: one file, or a folder with annotations/instances_*.json or SPLIT/_annotations.coco.json. */
gn_status gn_coco_is(gn_dataset *d, const char *path, bool *is_out);
gn_status gn_coco_read(gn_dataset *d, const char *path, gn_error *err);
/* PASCAL VOC: a folder with Annotations/, SPLIT/ or itself full of XML files. */
gn_status gn_voc_is(gn_dataset *d, const char *folder, bool *is_out);
gn_status gn_voc_read(gn_dataset *d, const char *folder, gn_error *err);
/* WIDER FACE: a list of boxes, or a folder that holds such lists. */
gn_status gn_wider_is(gn_dataset *d, const char *path, bool *is_out);
gn_status gn_wider_read(gn_dataset *d, const char *path, gn_error *err);
/* Open Images: a CSV whose header has ImageID and XMin. */
gn_status gn_open_images_is(gn_dataset *d, const char *csv_path, bool *is_out);
gn_status gn_open_images_read(gn_dataset *d, const char *csv_path, gn_error *err);
/* Darknet's .data file. */
gn_status gn_darknet_data_read(gn_dataset *d, const char *path, gn_error *err);
bool gn_cifar_is(const gn_dataset *d, const char *folder);
gn_status gn_cifar_read(gn_dataset *d, const char *folder, gn_error *err);

/* A box as a reader finds it, in pixels (or as the entry's ref_width says). */
typedef struct gn_box_row {
    int64_t entry; /* index of its picture */
    int64_t line;
    double x1, y1, x2, y2;
    int32_t cls;
    uint8_t flags;
    int64_t id;  /* -1: none */
    double area; /* -1: none */
} gn_box_row;

typedef struct gn_box_rows {
    gn_box_row *row;
    size_t n, capacity;
} gn_box_rows;

gn_status gn_box_rows_add(gn_box_rows *rows, const gn_box_row *row);
/* Hands each picture its boxes, in the order of the rows; more than GN_LABEL_MAX_BOXES of one picture are left out and counted. */
gn_status gn_box_rows_give(gn_dataset *d, const gn_box_rows *rows);
void gn_box_rows_deinit(gn_box_rows *rows);

/* Boxes of an entry whose picture has been looked at: to fractions; cut off, refused, counted and noted as they need it. */
gn_status gn_entry_check_boxes(gn_dataset *d, gn_data_entry *e);
/* A picture whose labels say something that cannot be understood must not pass for a background picture. */
void gn_entry_spoil(gn_dataset *d, gn_data_entry *e);

/* Where a name that stands in `folder`'s file lies: there, under the root (may be NULL), or as seen from the current folder.
 * dst: GN_DATA_PATH_BYTES. */
bool gn_data_locate(const gn_dataset *d, const char *folder, const char *root, const char *name, char *dst);
/* Pictures of a list, one name per line. */
gn_status gn_data_add_list(gn_dataset *d, const char *path, const char *root, gn_split split, gn_error *err);
/* Class names of a text file, one per line. */
gn_status gn_data_read_names(gn_dataset *d, const char *path, gn_error *err);
/* The picture STEM.jpg, .jpeg, .png or .webp in a folder.  dst: GN_DATA_PATH_BYTES. */
bool gn_data_find_stem(const gn_dataset *d, const char *folder, const char *stem, size_t stem_bytes, char *dst);
/* The split that a name speaks of ("instances_val2017.json", "wider_face_train_bbx_gt.txt"), GN_SPLIT_TRAIN when none. */
gn_split gn_data_split_of_name(const char *name);

/* Pictures' sizes (fingerprints too when `with_fingerprints`), boxes from label files, checks.  Unusable entries are marked. */
gn_status gn_dataset_scan(gn_dataset *d, bool with_fingerprints, gn_error *err);
/* Puts the training entries into splits that the set does not name; equal or similar pictures stay together. */
gn_status gn_dataset_make_splits(gn_dataset *d);

/* Label file of a picture: the last /images/ (or, without one, /JPEGImages/) becomes /labels/, the extension .txt.  dst: GN_DATA_PATH_BYTES. */
gn_status gn_label_path(const char *picture, char *dst);

/* One line of a label file that was skipped. */
typedef struct gn_label_problem {
    int64_t line;
    char message[160];
} gn_label_problem;

/* Boxes of a label file: "class cx cy w h" or a polygon "class x1 y1 x2 y2 x3 y3 ...", all in 0..1. */
typedef struct gn_labels {
    gn_box *box; /* [n] corners in 0..1 */
    int32_t *cls;
    int n;
    int64_t duplicates;
    gn_label_problem *problem; /* [n_problems], at most 100 kept */
    int64_t n_problems, n_bad_lines;
    double slack_x, slack_y; /* given: boxes that reach out of the picture by more are noted and counted; 0: none is */
    int64_t n_clipped;
    size_t box_capacity, cls_capacity, problem_capacity;
} gn_labels;

/* text: n bytes, NUL-terminated.  n_classes: classes 0..n_classes-1 are allowed; 0: up to GN_DATASET_MAX_CLASSES.
 * Bad lines are noted in `labels`.  Only GN_ENOMEM and GN_ELIMIT (too many bytes) fail. */
gn_status gn_labels_parse(const char *text, size_t n, int n_classes, gn_labels *labels);
void gn_labels_deinit(gn_labels *labels);

/* A set of strings with a number each; open addressing.  Strings are borrowed. */
typedef struct gn_string_set {
    struct gn_string_slot {
        const char *key;
        int64_t value;
    } * slot;
    size_t capacity, n;
} gn_string_set;

/* Value of `key`, or -1. */
int64_t gn_string_set_find(const gn_string_set *set, const char *key);
gn_status gn_string_set_put(gn_string_set *set, const char *key, int64_t value);
void gn_string_set_deinit(gn_string_set *set);

#endif

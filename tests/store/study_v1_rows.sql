-- What a search of version 1 would have left; study_v1.sql has the tables.
PRAGMA application_id = 1196323700;
PRAGMA user_version = 1;
INSERT INTO fact VALUES ('objective', 'mean_iou'), ('stages', '10:8,30');
INSERT INTO command VALUES (1, 1700000000, 'gannet search --data faces');
INSERT INTO measurement (id, model, head, imgsz, precision, target, threads, device, warmup, runs, total_p90_ms, params, is_valid, note, measured_at)
VALUES (3, 'resnet18', 'box', 128, 'f32', 'cpu?threads=1', 1, 'a CPU', 3, 50, 8.25, 11178564, 1, '', 1700000001);
INSERT INTO trial (id, config, measurement_id, state, stage, reason, folder, seed, seconds)
VALUES (1, '{"model":"resnet18"}', 3, 'done', 1, '', 'trials/trial-0001', 7, 12.5),
       (2, '{"model":"resnet18","lr0":"1"}', 3, 'failed', 0, 'NaN', '', 7, 1);
INSERT INTO epoch (trial_id, epoch, train_loss, mean_iou) VALUES (1, 1, 0.5, 0.25), (1, 2, 0.4, 0.3);
INSERT INTO result VALUES (1, 1, 'val', 10, 8, 100, 12.5);
INSERT INTO metric VALUES (1, 1, 'val', 'mean_iou', 0.3, 0.25, 0.35);
INSERT INTO picture VALUES (1, 1, 'sheet.jpg', 'a sheet', X'FFD8FFD9');
